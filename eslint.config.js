import tseslint from 'typescript-eslint';
import { defineConfig } from 'eslint/config';

export default defineConfig(
  { ignores: ['**/dist/**', 'client/package/**', 'reports/**', 'data/**', '.stryker-tmp/**', '**/*.cjs', '**/*.js'] },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './core/tsconfig.json', './ports/tsconfig.json', './client/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'no-console': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { checkThenables: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Numbers and booleans read well in templates, and every id here is a string.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // An implementation of a port may answer at once where another has to wait.
      '@typescript-eslint/require-await': 'off',
      // Ports are records of closures: none of them looks at `this`, and handing one function on is how a part is injected.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidOperator: true }],
    },
  },
  {
    // The core is pure: no clock, no chance, no world (style: time and chance are arguments).
    files: ['core/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', 'console', 'process'],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'chance is an argument' },
        { object: 'Date', property: 'now', message: 'the clock is an argument' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'the clock is an argument' },
        { selector: 'AwaitExpression', message: 'the core is fed and never fetches' },
      ],
    },
  },
);
