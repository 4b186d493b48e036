/** Gives something to the browser to save. */

/** Nobody needs the address any more when the browser has taken it up. */
const TAKEN_UP_MS = 60_000;

export const saveFile = (content: Blob, name: string): void => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), TAKEN_UP_MS);
};
