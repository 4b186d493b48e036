/** Whom a dial request means, and who of them may be dialled now. */
import { isWithinCallingHours } from '../../core/domain/calling-hours.ts';
import { hasAllowedPrefix, isPhoneNumber } from '../../core/domain/phone-number.ts';
import type { CallDriver } from '../../core/domain/call/state.ts';
import { ERRORS, type ErrorCode } from '../../core/protocol/codes.ts';
import type { Driver, Tenant, Trigger } from '../../ports/directory.ts';
import type { Parts } from '../parts.ts';

export interface DriversRequest {
  readonly driver_ids: readonly string[];
  /** Empty: all. */
  readonly violation_types: readonly string[];
}

export interface NumberRequest {
  readonly to?: string | undefined;
  readonly driver_id?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly variables?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** Somebody to be dialled. */
export interface Target {
  readonly driver: CallDriver | null;
  readonly to_number: string;
  readonly triggers: readonly Trigger[];
  readonly variables: Readonly<Record<string, string | number | boolean>>;
}

export interface Refusal {
  readonly driver_id: string;
  readonly code: ErrorCode;
  readonly message: string;
}

const refusal = (driverId: string, code: ErrorCode): Refusal => ({ driver_id: driverId, code, message: ERRORS[code].message });

/** Each driver once, in the order asked for; those who may not be dialled with the reason. */
export const driverTargets = async (parts: Parts, tenant: Tenant, request: DriversRequest): Promise<{ targets: Target[]; failed: Refusal[] }> => {
  const targets: Target[] = [];
  const failed: Refusal[] = [];
  for (const id of new Set(request.driver_ids)) {
    const driver = await parts.directory.driver(tenant.tenant, id);
    const triggers = matchingTriggers(driver?.triggers ?? [], request.violation_types);
    const problem = driver === null ? 'driver_not_found' : triggers.length === 0 ? 'no_matching_triggers' : driverProblem(parts, tenant, driver);
    if (driver === null || problem !== null) failed.push(refusal(id, problem ?? 'driver_not_found'));
    else targets.push(targetOf(driver, triggers, {}));
  }
  return { targets, failed };
};

/** The one number or driver of a `POST /calls`. */
export const numberTarget = async (parts: Parts, tenant: Tenant, request: NumberRequest): Promise<{ target: Target } | { failed: Refusal }> => {
  const variables = request.variables ?? {};
  if (request.driver_id !== undefined) {
    const driver = await parts.directory.driver(tenant.tenant, request.driver_id);
    const problem = driver === null ? 'driver_not_found' : driverProblem(parts, tenant, driver);
    return driver === null || problem !== null ? { failed: refusal(request.driver_id, problem ?? 'driver_not_found') } : { target: targetOf(driver, driver.triggers, variables) };
  }
  const to = request.to ?? '';
  const problem = numberProblem(parts, to) ?? (isWithinCallingHours(tenant.calling_hours, null, parts.runtime.now()) ? null : 'outside_calling_hours');
  return problem === null ? { target: { driver: null, to_number: to, triggers: [], variables } } : { failed: refusal('', problem) };
};

const targetOf = (driver: Driver, triggers: readonly Trigger[], variables: Target['variables']): Target => ({
  driver: { driverId: driver.driverId, driverName: driver.driverName, phoneNumber: driver.phoneNumber ?? '' },
  to_number: driver.phoneNumber ?? '',
  triggers,
  variables,
});

const driverProblem = (parts: Parts, tenant: Tenant, driver: Driver): ErrorCode | null => {
  if (driver.do_not_call) return 'do_not_call';
  if (driver.phoneNumber === null) return 'no_phone_number';
  if (!isWithinCallingHours(tenant.calling_hours, driver.time_zone, parts.runtime.now())) return 'outside_calling_hours';
  return numberProblem(parts, driver.phoneNumber);
};

const numberProblem = (parts: Parts, number: string): ErrorCode | null => {
  if (!isPhoneNumber(number)) return 'invalid_phone_number';
  return hasAllowedPrefix(number, parts.settings.allowedPrefixes) ? null : 'prefix_not_allowed';
};

/** Triggers of the types asked for, without regard to case; none asked for means all. */
export const matchingTriggers = (triggers: readonly Trigger[], types: readonly string[]): Trigger[] => {
  const wanted = new Set(types.map((type) => type.trim().toLowerCase()));
  return wanted.size === 0 ? [...triggers] : triggers.filter((trigger) => wanted.has(trigger.type.trim().toLowerCase()));
};
