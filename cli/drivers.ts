/** `earshot drivers ...`: who can be called. */
import { isTimeZone } from '../core/domain/calling-hours.ts';
import { isPhoneNumber } from '../core/domain/phone-number.ts';
import { NewDriver } from '../core/protocol/rest.ts';
import type { Driver } from '../ports/directory.ts';
import { CliError } from './exit-codes.ts';
import { tenantMeant, withDirectory } from './local-data.ts';
import { table } from './output.ts';
import { textOfFile } from './password.ts';
import { cellsOf, readCsv, type CsvTable } from './read-csv.ts';
import type { Cli } from './world.ts';

const COLUMNS = ['driverId', 'driverName', 'phoneNumber', 'triggers', 'do_not_call', 'time_zone'];
const NEEDED = ['driverId', 'driverName'];
/** Read at once by `drivers list`. */
const PAGE_ROWS = 500;
const PROGRESS_ROWS = 500;

/** `earshot drivers list`. */
export const listDrivers = (cli: Cli, options: { readonly tenant?: string }): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const tenant = await tenantMeant(cli, directory, options.tenant);
    const drivers: Driver[] = [];
    for (;;) {
      const page = await directory.drivers(tenant, drivers.at(-1)?.driverId ?? null, PAGE_ROWS);
      drivers.push(...page);
      if (page.length < PAGE_ROWS) break;
    }
    cli.print.document({ drivers });
    const rows = drivers.map((one) => [one.driverId, one.driverName, one.phoneNumber ?? '-', one.triggers.map(({ type }) => type).join(';'), one.do_not_call ? 'do not call' : '']);
    for (const line of table(['DRIVER', 'NAME', 'NUMBER', 'TRIGGERS', ''], rows)) cli.print.line(line);
  });

interface Read {
  readonly drivers: readonly Omit<Driver, 'tenant'>[];
  /** What is wrong, by line and column; no value is repeated. */
  readonly problems: readonly string[];
}

/** The drivers of a file, and each line that is none. Throws CliError `csv_invalid` where the file as a whole is no such table. */
export const readDrivers = (text: string): Read => {
  const csv = readCsv(text);
  const missing = NEEDED.filter((column) => !csv.columns.includes(column));
  const unknown = csv.columns.filter((column) => !COLUMNS.includes(column));
  if (missing.length > 0) throw new CliError('csv_invalid', `Line 1 lacks the column ${missing.join(' and ')}.`, 'failed');
  if (unknown.length > 0) throw new CliError('csv_invalid', `Line 1 names an unknown column. Known are ${COLUMNS.join(', ')}.`, 'failed');
  const drivers = new Map<string, Omit<Driver, 'tenant'>>();
  const problems: string[] = [];
  for (const record of csv.records) {
    const driver = readDriver(csv, record);
    if ('problems' in driver) problems.push(...driver.problems.map((problem) => `line ${record.line}, ${problem}`));
    else if (drivers.has(driver.driverId)) problems.push(`line ${record.line}, driverId: stands in an earlier line already`);
    else drivers.set(driver.driverId, driver);
  }
  return { drivers: [...drivers.values()], problems };
};

const YES_OR_NO: Readonly<Record<string, boolean>> = { true: true, yes: true, '1': true, false: false, no: false, '0': false };

const readDriver = (csv: CsvTable, record: CsvTable['records'][number]): Omit<Driver, 'tenant'> | { problems: string[] } => {
  const cell = cellsOf(csv, record);
  const phone = cell('phoneNumber');
  const zone = cell('time_zone');
  const doNotCall = YES_OR_NO[(cell('do_not_call') ?? 'false').toLowerCase()];
  const problems: string[] = [];
  if (phone !== null && !isPhoneNumber(phone)) problems.push('phoneNumber: has to be E.164 such as +15550100123');
  if (zone !== null && !isTimeZone(zone)) problems.push('time_zone: has to be an IANA name such as America/New_York');
  if (doNotCall === undefined) problems.push('do_not_call: has to be true or false');
  const triggers = (cell('triggers') ?? '').split(';').map((type) => type.trim()).filter((type) => type !== '').map((type) => ({ type }));
  const parsed = NewDriver.safeParse({ driverId: cell('driverId') ?? '', driverName: cell('driverName') ?? '', phoneNumber: phone, triggers, do_not_call: doNotCall ?? false, time_zone: zone });
  for (const column of new Set(parsed.error?.issues.map((issue) => String(issue.path[0])))) {
    if (!problems.some((problem) => problem.startsWith(`${column}:`))) problems.push(`${column}: ${NEEDED.includes(column) ? 'is needed, as up to 256 characters' : 'is too long, or too many'}`);
  }
  return problems.length > 0 || !parsed.success ? { problems } : parsed.data;
};

/** `earshot drivers import <csv>`: all of the file or, but for --partial, nothing of it. */
export const importDrivers = async (cli: Cli, file: string, options: { readonly tenant?: string; readonly partial?: boolean }): Promise<void> => {
  const { drivers, problems } = readDrivers(textOfFile(file));
  if (problems.length > 0 && options.partial !== true) throw new CliError('csv_invalid', 'Nothing was imported; --partial takes the good lines.', 'failed', problems);
  await withDirectory(cli, async (directory) => {
    const tenant = await tenantMeant(cli, directory, options.tenant);
    if ((await directory.tenant(tenant)) === null) throw new CliError('tenant_not_found', 'There is no such tenant.', 'not_found');
    for (const [index, driver] of drivers.entries()) {
      await directory.putDriver({ ...driver, tenant });
      if ((index + 1) % PROGRESS_ROWS === 0) cli.print.note(`${index + 1} of ${drivers.length}`);
    }
  });
  cli.print.document({ imported: drivers.length, problems });
  cli.print.line(`Imported ${drivers.length} drivers.`);
  if (problems.length > 0) throw new CliError('csv_invalid', `${problems.length} problems: those lines were left out.`, 'failed', problems);
};
