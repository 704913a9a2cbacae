/** The result of one check. */
export interface Finding {
  /** A `problem` must be fixed. With a `warning` logins work, but with a disadvantage. */
  level: 'ok' | 'warning' | 'problem';
  text: string;
  /** What to change. */
  advice?: string | undefined;
  /** The user of the option `siteDatabase` lacks rights. `grants` returns the SQL for them. */
  lacksRights?: boolean;
  /** The configuration of the site cannot be used, for example because this account may not read it. */
  isConfiguration?: boolean;
}

export const ok = (text: string): Finding => ({ level: 'ok', text });
export const warning = (text: string, advice?: string): Finding => ({ level: 'warning', text, advice });
export const problem = (text: string, advice?: string): Finding => ({ level: 'problem', text, advice });

/** Replaces characters that control a terminal or reorder text. Returns at most `maxLength` characters. */
export const printable = (text: string, maxLength = 120): string =>
  text.slice(0, maxLength).toWellFormed().replace(/\p{C}/gu, '�');
