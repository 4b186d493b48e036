/** Terraform, as the deploy command uses it: one folder of its own notes for each environment, so that none meets the other's state. */
import { CliError } from '../cli/exit-codes.ts';
import type { DeploySettings } from './deploy-settings.ts';
import { only, TERRAFORM_SECRETS, type Command, type Tools } from './deploy-tools.ts';

/** What is read of `terraform output`; null: it is not there yet. */
export interface Outputs {
  readonly repository: string | null;
  readonly relayRevision: string | null;
  readonly logDatabase: string | null;
  readonly apiUrl: string | null;
  readonly webhookUrl: string | null;
  readonly dashboardUrl: string | null;
  readonly firebaseJson: string | null;
  /** Settings that are secrets. */
  readonly secrets: readonly string[];
}

export interface Terraform {
  init(): Promise<void>;
  outputs(): Promise<Outputs>;
  /** Only what has to be there before anything is filled or built. */
  applyFoundation(): Promise<void>;
  applyAll(image: string): Promise<void>;
}

export interface TerraformOptions {
  readonly settings: DeploySettings;
  /** From infra/. */
  readonly archive: string;
  readonly plan: boolean;
  /** Terraform asks nobody. */
  readonly agreed: boolean;
}

export const terraform = (tools: Tools, { settings, archive, plan, agreed }: TerraformOptions): Terraform => {
  const { environment, env, stateBucket } = settings;
  // Each environment's own notes: what a change of the backend would move from one state to the other is not there.
  const notes = { TF_DATA_DIR: `.terraform/${environment}`, TF_IN_AUTOMATION: '1' };
  const command = (args: readonly string[]): Command => ({ program: 'terraform', args: ['-chdir=infra', ...args], env: notes, secretEnv: { ...only(env, Object.keys(env).filter((name) => name.startsWith('TF_VAR_'))), ...only(env, TERRAFORM_SECRETS) } });

  const apply = async (image: string, target: readonly string[]): Promise<void> => {
    const variables = [`-var-file=${environment}.tfvars`, `-var=functions_archive=${archive}`, `-var=relay_image=${image}`];
    // Looking must not keep others from working.
    if (plan) await tools.show(command(['plan', '-lock=false', '-input=false', ...variables, ...target]));
    else await tools.change(command(['apply', ...(agreed ? ['-auto-approve', '-input=false'] : []), ...variables, ...target]));
  };

  return {
    init: () => tools.show(command(['init', '-input=false', '-reconfigure', `-backend-config=bucket=${stateBucket}`, `-backend-config=prefix=earshot/${environment}`])),
    outputs: async () => {
      const { code, out, err } = await tools.ask(command(['output', '-json']));
      if (code !== 0) throw new CliError('step_failed', `\`terraform output\` ended with ${code ?? 'nothing'}: ${err.trim().split('\n')[0] ?? ''}`, 'failed');
      const values = JSON.parse(out) as Readonly<Record<string, { readonly value: unknown }>>;
      const text = (name: string): string | null => {
        const value = values[name]?.value;
        return typeof value === 'string' ? value : null;
      };
      return {
        repository: text('repository'),
        relayRevision: text('relay_revision'),
        logDatabase: text('log_database'),
        apiUrl: text('api_url'),
        webhookUrl: text('post_call_webhook_url'),
        dashboardUrl: text('dashboard_url'),
        firebaseJson: text('firebase_json'),
        secrets: Object.keys(values['secrets']?.value ?? {}),
      };
    },
    // The image is not made yet, and nothing of the foundation asks for it.
    applyFoundation: () => apply('none', ['-target=terraform_data.foundation']),
    applyAll: (image) => apply(image, []),
  };
};
