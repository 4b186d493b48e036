/** Drivers and their violations. */
import { createRoute } from '@hono/zod-openapi';
import { isTimeZone } from '../../core/domain/calling-hours.ts';
import { isPhoneNumber } from '../../core/domain/phone-number.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import { DriverBody, DriverList, DriverListQuery, DriverParam, DriverView as DriverViewSchema, NewDriver, type DriverView } from '../../core/protocol/rest.ts';
import type { Driver } from '../../ports/directory.ts';
import { ownTenant } from './asker.ts';
import { answer, body, byToken, named, otherwise } from './describe.ts';
import { noteAccess } from './note-access.ts';
import type { Api, ApiParts } from './services.ts';

const DriverShown = named('Driver', DriverViewSchema);

const shown = ({ driverId, driverName, phoneNumber, triggers, do_not_call, time_zone }: Driver): DriverView => ({
  driverId,
  driverName,
  phoneNumber,
  triggers: triggers.map((trigger) => ({ ...trigger })),
  do_not_call,
  time_zone,
});

/** Adds `/drivers` and `/drivers/{id}`. */
export const driverRoutes = ({ app, parts, signedIn }: Api): void => {
  app.openapi(
    createRoute({ method: 'get', path: '/drivers', tags: ['drivers'], summary: 'Drivers, by id', middleware: signedIn, security: byToken, request: { query: DriverListQuery }, responses: { 200: answer(DriverList.extend({ drivers: DriverShown.array() }), 'a page'), ...otherwise } }),
    async (c) => {
      const tenant = ownTenant(c.get('asker'), 'drivers.read');
      const { cursor, limit } = c.req.valid('query');
      const found = await parts.directory.drivers(tenant, cursor ?? null, limit + 1);
      const drivers = found.slice(0, limit);
      return c.json({ drivers: drivers.map(shown), next_cursor: found.length > limit ? (drivers.at(-1)?.driverId ?? null) : null }, 200);
    },
  );

  app.openapi(
    createRoute({ method: 'get', path: '/drivers/{id}', tags: ['drivers'], summary: 'One driver', middleware: signedIn, security: byToken, request: { params: DriverParam }, responses: { 200: answer(DriverShown, 'the driver'), ...otherwise } }),
    async (c) => {
      const tenant = ownTenant(c.get('asker'), 'drivers.read');
      const driver = await parts.directory.driver(tenant, c.req.valid('param').id);
      if (driver === null) throw new EarshotError('driver_not_found');
      return c.json(shown(driver), 200);
    },
  );

  app.openapi(
    createRoute({ method: 'put', path: '/drivers', tags: ['drivers'], summary: 'Keep a driver, in place of what was kept', middleware: signedIn, security: byToken, request: { body: body(NewDriver) }, responses: { 200: answer(DriverShown, 'the driver as kept'), ...otherwise } }),
    async (c) => {
      const driver = { ...c.req.valid('json'), tenant: ownTenant(c.get('asker'), 'drivers.write') };
      await keep(parts, driver);
      noteAccess(parts, c, 'drivers.write', null);
      return c.json(shown(driver), 200);
    },
  );

  app.openapi(
    createRoute({ method: 'put', path: '/drivers/{id}', tags: ['drivers'], summary: 'Keep a driver, in place of what was kept', middleware: signedIn, security: byToken, request: { params: DriverParam, body: body(DriverBody) }, responses: { 200: answer(DriverShown, 'the driver as kept'), ...otherwise } }),
    async (c) => {
      const { id } = c.req.valid('param');
      const wanted = c.req.valid('json');
      const tenant = ownTenant(c.get('asker'), 'drivers.write');
      if (wanted.driverId !== undefined && wanted.driverId !== id) throw new EarshotError('invalid_request', { problems: ['driverId: is not the one of the path'] });
      const driver = { ...wanted, driverId: id, tenant };
      await keep(parts, driver);
      noteAccess(parts, c, 'drivers.write', null);
      return c.json(shown(driver), 200);
    },
  );
};

const keep = async (parts: ApiParts, driver: Driver): Promise<void> => {
  if (driver.phoneNumber !== null && !isPhoneNumber(driver.phoneNumber)) throw new EarshotError('invalid_phone_number');
  if (driver.time_zone !== null && !isTimeZone(driver.time_zone)) throw new EarshotError('invalid_request', { problems: ['time_zone: has to be an IANA name such as America/New_York'] });
  await parts.directory.putDriver(driver);
};
