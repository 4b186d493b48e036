/** Doctor where the settings name the cloud's stores: what of them can be used from here, with whose rights, and whether it is set up. */
import type { Settings } from '../core/settings.ts';
import type { Obstacle, Reach } from '../ports/reach.ts';
import { Failed, type Checks } from './checks.ts';
import { withDirectory } from './local-data.ts';
import type { Cli } from './world.ts';

/** A place, and what to do where it is not what it has to be. */
interface Place {
  readonly name: string;
  /** The setting that names it. */
  readonly setting: string;
  /** That lets an account use it. */
  readonly role: string;
  readonly well: string;
}

const MEND: Readonly<Record<Obstacle, (place: Place, project: string) => string>> = {
  absent: ({ setting }, project) => `there is none of this name in ${project}. Is ${setting} right, and GOOGLE_CLOUD_PROJECT? What is missing \`npm run deploy\` makes.`,
  forbidden: ({ role }, project) => `this account has no right to it: it needs ${role} in ${project}. Whose account it is says \`gcloud auth list\`.`,
  no_credentials: () => 'there are no credentials here, or they are no longer good: gcloud auth application-default login',
  silent: () => 'no answer in time. Is there a way to *.googleapis.com from here? Else look at https://status.cloud.google.com',
};

export const checkCloud = async (cli: Cli, checks: Checks, settings: Settings): Promise<void> => {
  const { googleCloudProject: project, rawBucket } = settings;
  await checks.run('project', () => {
    if (project === null) throw new Failed('GOOGLE_CLOUD_PROJECT is not set. Set it to the id of the project that Earshot is deployed to.');
    return project;
  });
  if (project === null) return;
  const reach = await cli.ways.openReach(settings);
  const look = (place: Place, ask: (reach: Reach) => Promise<Obstacle | null>): Promise<boolean> =>
    checks.run(place.name, async () => {
      const obstacle = await ask(reach);
      if (obstacle !== null) throw new Failed(MEND[obstacle](place, project));
      return place.well;
    });
  const database = (name: string, setting: string): Place => ({ name: `Firestore database ${name}`, setting, role: 'roles/datastore.user', well: 'can be read and written' });
  const log = await look(database(settings.firestoreDatabase, 'FIRESTORE_DATABASE'), (to) => to.log());
  await look(database(settings.firestoreSessionsDatabase, 'FIRESTORE_SESSIONS_DATABASE'), (to) => to.sessions());
  await look({ name: `topic ${settings.eventsTopic}`, setting: 'EVENTS_TOPIC', role: 'roles/pubsub.viewer', well: 'is there' }, (to) => to.topic());
  if (rawBucket === null) checks.note('raw bucket', false, 'not looked at. Set RAW_BUCKET to its name: gcloud storage buckets list.');
  else await look({ name: `raw bucket ${rawBucket}`, setting: 'RAW_BUCKET', role: 'roles/storage.objectViewer', well: 'can be read' }, (to) => to.bucket(rawBucket));
  if (!log) return;
  await checks.run('set-up', () => withDirectory(cli, async (directory) => {
    const [tenants, agents, users] = await Promise.all([directory.tenants(), directory.agents(null), directory.users(null)]);
    if (tenants.length === 0) throw new Failed('there is no tenant, so nothing can belong to anybody: earshot tenants add <tenant>');
    if (agents.length === 0) throw new Failed('no agent belongs to a tenant, so every delivery waits in quarantine: earshot agents add <agent>');
    if (users.length === 0) throw new Failed('there is no user, so nobody can sign in but by an outside identity provider: earshot users add <username> --role admin');
    return `tenants: ${tenants.length}, agents: ${agents.length}, users: ${users.length}`;
  }));
  await checks.run('serving revision', () => withDirectory(cli, async (directory) => (await directory.servingRevision()) ?? 'none is named: sockets stay where they are'));
};
