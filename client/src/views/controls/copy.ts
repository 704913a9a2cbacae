import type { Context } from '../context.ts';

/** @param said - text of the toast after copying */
export function copy(text: string, { strings, toast }: Context, said = strings.text('common.copied')): void {
  copied(text).then(
    () => toast(said, 'good'),
    () => toast(strings.text('error.other'), 'bad'),
  );
}

/** Rejects if the text cannot be copied. */
export function copied(text: string): Promise<void> {
  // Only secure contexts have `navigator.clipboard`.
  return (
    navigator.clipboard?.writeText(text) ??
    (copiedByCommand(text) ? Promise.resolve() : Promise.reject(new Error('no clipboard')))
  );
}

/** Uses `execCommand`, which works on any page. A listener replaces what the command copies. */
function copiedByCommand(text: string): boolean {
  let put = false;
  const replace = (event: ClipboardEvent) => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
    event.stopImmediatePropagation();
    put = event.clipboardData !== null;
  };
  addEventListener('copy', replace, { capture: true });
  document.execCommand('copy');
  removeEventListener('copy', replace, { capture: true });
  return put;
}
