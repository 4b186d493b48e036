/** A dialog over the page: what is behind cannot be reached while it is open, and the focus goes back to where it was. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export interface DialogProps {
  /** What a screen reader calls it. */
  readonly label: string;
  /** Asked for by Escape; null: it cannot be left so. */
  readonly onClose: (() => void) | null;
  readonly wide?: boolean;
  readonly children: ComponentChildren;
}

/** Open for as long as it is there. */
export const Dialog = ({ label, onClose, wide = false, children }: DialogProps) => {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = place.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={place}
      class={wide ? 'wide' : undefined}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClose={() => {
        // Not by us: Escape was pressed while nothing in the dialog had the focus, its button being disabled for one.
        const dialog = place.current;
        if (dialog === null || dialog.open) return;
        if (onClose === null) dialog.showModal();
        else onClose();
      }}
      onKeyDown={(event) => {
        // A browser closes a dialog at the second Escape whatever the page says.
        if (event.key === 'Escape') event.preventDefault();
        if (event.key === 'Escape') onClose?.();
      }}
    >
      {children}
    </dialog>
  );
};
