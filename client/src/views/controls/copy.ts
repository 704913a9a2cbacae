import type { Context } from '../context.ts';

/** @param said - text of the toast after copying */
export function copy(text: string, { strings, toast }: Context, said = strings.text('common.copied')): void {
  copied(text).then(
    () => toast(said, 'good'),
    () => toast(strings.text('error.other'), 'bad'),
  );
}

/** Copies a text that may still be loading. Rejects if it cannot be loaded or copied. */
export async function copied(text: string | Promise<string>): Promise<void> {
  if (typeof text !== 'string') {
    // Safari copies only during a click, so it must get the promise at once.
    const data = text.then((loaded) => new Blob([loaded], { type: 'text/plain' }));
    await navigator.clipboard.write([new ClipboardItem({ 'text/plain': data })]).catch(async (error) => {
      await text; // its own error says more
      throw error;
    });
    return;
  }
  // Only secure contexts have `navigator.clipboard`.
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  if (!copiedByCommand(text)) throw new Error('no clipboard');
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
