import type { Context } from '../context.ts';

/** @param said - the notice that it was copied */
export function copy(text: string, { strings, toast }: Context, said = strings.text('common.copied')): void {
  copied(text).then(
    () => toast(said, 'good'),
    () => toast(strings.text('error.other'), 'bad'),
  );
}

/** Rejects where it could not be copied. */
export function copied(text: string): Promise<void> {
  // Pages without TLS have no clipboard.
  return (
    navigator.clipboard?.writeText(text) ??
    (copiedByCommand(text) ? Promise.resolve() : Promise.reject(new Error('no clipboard')))
  );
}

/** The older way, which works on any page: what the command copies is put in its place. */
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
