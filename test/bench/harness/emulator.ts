/** Google's emulators for a bench; where there are none, its rows are missing and it says so. */
import { EmulatorsMissingError, startEmulators, type Emulators } from '../../../local/google/emulators.ts';

/** null: they were not found. */
export const emulator = async (): Promise<Emulators | null> => {
  try {
    return await startEmulators(process.env);
  } catch (error) {
    if (error instanceof EmulatorsMissingError) return null;
    throw error;
  }
};
