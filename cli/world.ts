/** What the command is given by its entry: everything that it touches of the world. */
import type { CallDocuments } from '../ports/call-documents.ts';
import type { CallLog } from '../ports/call-log.ts';
import type { Directory } from '../ports/directory.ts';
import type { Passwords } from '../ports/password.ts';
import type { Reach } from '../ports/reach.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Settings } from '../core/settings.ts';
import type { Output, Printer } from './output.ts';

/** Where passwords come from when no file is named. */
export interface Input {
  /** Whether a person sits there. */
  readonly terminal: boolean;
  /** The first line of stdin, without its end. */
  firstLine(): Promise<string>;
  /** Asks at the terminal without echo. */
  hidden(prompt: string): Promise<string>;
  /** Asks at the terminal. */
  question(prompt: string): Promise<string>;
}

/** The ways that the entry has chosen. */
export interface Ways {
  /** @param path the file of an embedded directory; null where the settings name the cloud's */
  openDirectory(settings: Settings, path: string | null): Promise<Directory>;
  /** @param path the file of an embedded log; null where the settings name the cloud's. @param readOnly nothing will be written */
  openCallLog(settings: Settings, path: string | null, readOnly: boolean): Promise<CallLog>;
  /** Whether the cloud's stores can be used from here. */
  openReach(settings: Settings): Promise<Reach>;
  /** The calls of the cloud's log, for changes of its schema. */
  openCallDocuments(settings: Settings): Promise<CallDocuments>;
  readonly passwords: Passwords;
  /** Runs a program of this project until it ends. Answers its exit code. */
  runProgram(path: string, args: readonly string[]): Promise<number>;
}

export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of the project: relative settings are read from here, as `npm start` does. */
  readonly root: string;
  readonly version: string;
  readonly output: Output;
  readonly input: Input;
  readonly runtime: Runtime;
  readonly ways: Ways;
  /** Fires when the person wants it to end. */
  readonly stop: AbortSignal;
  /** The login and names that one machine begins with. */
  readonly local: { readonly username: string; readonly password: string; readonly tenant: string; readonly workspace: string };
}

/** What a verb is given. */
export interface Cli extends World {
  readonly print: Printer;
  /** Read when first asked for; throws CliError `settings_invalid`. */
  settings(): Settings;
}
