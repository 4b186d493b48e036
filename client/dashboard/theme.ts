/** Light, dark, or as the system is: kept in this browser. The colours themselves stand in `tokens.css`. */
import { signal } from '@preact/signals';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEPT_AS = 'earshot.theme';

export const theme = signal<Theme>('system');

/** Shows it and keeps it. */
export const chooseTheme = (chosen: Theme): void => {
  theme.value = chosen;
  if (chosen === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
  try {
    localStorage.setItem(KEPT_AS, chosen);
  } catch {
    // A browser that keeps nothing shows it until the page is left.
  }
};

/** Shows what was chosen before. Once, when the page begins. */
export const followTheme = (): void => {
  const kept = keptTheme();
  if (kept !== undefined) chooseTheme(kept);
};

const keptTheme = (): Theme | undefined => {
  try {
    return THEMES.find((name) => name === localStorage.getItem(KEPT_AS));
  } catch {
    return undefined;
  }
};
