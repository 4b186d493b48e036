/** Loaded before a program that is not ours, so that what it uses can be asked for. */
import { answering } from '../harness/answering.ts';

answering({});
