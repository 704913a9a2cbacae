import type { Context } from '../context.ts';

export function copy(text: string, { strings, toast }: Context): void {
  // Pages without TLS have no clipboard.
  const copied =
    navigator.clipboard?.writeText(text) ??
    (copiedByCommand(text) ? Promise.resolve() : Promise.reject(new Error('no clipboard')));
  copied.then(
    () => toast(strings.text('common.copied'), 'good'),
    () => toast(strings.text('error.other'), 'bad'),
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
