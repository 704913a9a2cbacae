import type { Context } from './context.ts';

export function copy(text: string, { strings, toast }: Context): void {
  // Pages without TLS have no clipboard.
  const copied = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('no clipboard'));
  copied.then(
    () => toast(strings.text('common.copied'), 'good'),
    () => toast(strings.text('error.other'), 'bad'),
  );
}
