/** The result of one check. */
export interface Finding {
  /** `wrong` has to be changed; with a `warning` the chat works, but not as well as it could. */
  is: 'well' | 'warning' | 'wrong';
  text: string;
  /** What to change. */
  advice?: string | undefined;
}

export const well = (text: string): Finding => ({ is: 'well', text });
export const warning = (text: string, advice?: string): Finding => ({ is: 'warning', text, advice });
export const wrong = (text: string, advice?: string): Finding => ({ is: 'wrong', text, advice });

/** Nothing that moves the cursor of a terminal, reverses its line or fills it. */
export const printable = (text: string, most = 120): string =>
  text.slice(0, most).toWellFormed().replace(/\p{C}/gu, '�');
