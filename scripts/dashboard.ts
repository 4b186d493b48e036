/** Writes the dashboard for Firebase Hosting into `client/dist`. Part of `npm run build`; `node scripts/dashboard.ts <folder>` writes it elsewhere. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { dashboardFiles } from '../local/dashboard-bundle.ts';

const ROOT = new URL('../', import.meta.url).pathname;

/** @param folder is emptied first, and gets the page and its assets */
export const buildDashboard = async (folder: string): Promise<void> => {
  const files = await dashboardFiles();
  rmSync(folder, { recursive: true, force: true });
  for (const { path, body } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), body);
  }
};

if (import.meta.main) await buildDashboard(process.argv[2] ?? join(ROOT, 'client', 'dist'));
