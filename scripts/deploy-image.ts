/**
 * The relay's image: its tag is the hash of what runs in it, so that it never moves, and a relay that has not changed - its bundle, and
 * how it is started - is not deployed again. The image is built from the sources, and comes to the same bundle.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliError } from '../cli/exit-codes.ts';
import type { DeploySettings } from './deploy-settings.ts';
import type { Tools } from './deploy-tools.ts';

export const DOCKERFILE = 'ws-relay/Dockerfile';
const BUNDLE = 'ws-relay/dist';
/** What building here leaves behind. */
const LEFT_BEHIND = /(^|\/)(dist|node_modules)(\/|$)/;
const HASH_CHARACTERS = 16;

/** What the Dockerfile copies from the project, in order. @throws CliError `dockerfile_unreadable` where it copies in a way that is not read here */
export const copiedBy = (dockerfile: string): readonly string[] => {
  const lines = dockerfile.split('\n').map((line) => line.trim());
  if (lines.some((line) => /^ADD\s/i.test(line) || /^COPY\s.*[[\\]/i.test(line))) throw new CliError('dockerfile_unreadable', `${DOCKERFILE} copies in a way that the deploy command cannot follow: use COPY <path> <path>, each on one line.`, 'failed');
  const copies = lines.filter((line) => /^COPY\s/i.test(line) && !/--from=/.test(line));
  return [...new Set(copies.flatMap((line) => line.split(/\s+/).slice(1).filter((word) => !word.startsWith('--')).slice(0, -1)))].sort();
};

/** Files under a folder of the project, in order. */
const filesIn = (root: string, folder: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, '/').length))
    .sort();

/** Its full name. @throws CliError `build_incomplete` where there is no bundle, or no Dockerfile */
export const imageOf = (root: string, { project, region }: DeploySettings): string => {
  const hash = createHash('sha256');
  try {
    for (const path of [DOCKERFILE, ...filesIn(root, BUNDLE)]) {
      const content = readFileSync(join(root, path));
      hash.update(`${path}\n${content.length}\n`).update(content);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new CliError('build_incomplete', `There is no ${DOCKERFILE}, or the build has made no ${BUNDLE}.`, 'failed');
  }
  return `${region}-docker.pkg.dev/${project}/earshot/relay:${hash.digest('hex').slice(0, HASH_CHARACTERS)}`;
};

/** Cloud Build is given nothing but what the image is made of, and does it as the account that may do nothing else. */
export const buildImage = async (tools: Tools, root: string, settings: DeploySettings, image: string): Promise<void> => {
  const { project, region } = settings;
  const { code } = await tools.ask({ program: 'gcloud', args: ['artifacts', 'docker', 'images', 'describe', image, `--project=${project}`, '--format=value(image_summary.digest)'] });
  if (code === 0) {
    tools.say('The image is there already: nothing that it is made of has changed.');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'earshot-relay-image-'));
  try {
    for (const path of [DOCKERFILE, ...copiedBy(readFileSync(join(root, DOCKERFILE), 'utf8'))]) cpSync(join(root, path), join(folder, path), { recursive: true, filter: (source) => !LEFT_BEHIND.test(source.slice(root.length)) });
    const config = { steps: [{ name: 'gcr.io/cloud-builders/docker', args: ['build', `--file=${DOCKERFILE}`, `--tag=${image}`, '.'] }], images: [image], options: { logging: 'CLOUD_LOGGING_ONLY' } };
    writeFileSync(join(folder, 'cloudbuild.json'), JSON.stringify(config));
    await tools.change({
      program: 'gcloud',
      args: [
        'builds',
        'submit',
        '.',
        '--config=cloudbuild.json',
        `--project=${project}`,
        `--region=${region}`,
        `--service-account=projects/${project}/serviceAccounts/earshot-build@${project}.iam.gserviceaccount.com`,
        `--gcs-source-staging-dir=gs://${project}-earshot-source/images`,
      ],
      cwd: folder,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
};
