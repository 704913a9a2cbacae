/** Settings of the PHP application, which may share its environment with this server. */
const otherSettings = ['CHAT_API_URL'];
/** A name is misspelt if at most this many letters, and at most a third of the setting's letters, are wrong. */
const mostWrong = 2;
/** The maximum number of wrong letters for a suggestion, as a fraction of the setting's length. */
const farthest = 0.3;

/** The prefix of the settings of a program. */
type Start = 'CHAT_' | 'SESSION_SERVER_';

/** A name in the environment that looks like a setting but is unknown to this version. */
export interface UnknownSetting {
  name: string;
  /** The setting with the nearest name. Undefined if all names are too different. */
  nearest: string | undefined;
  /** Only one or two letters are wrong, so `nearest` was meant. */
  misspelt: boolean;
}

/**
 * Finds unknown names that have a value and the prefix of the program. They may be misspelt, of another version, or of
 * another program. A misspelt name from a settings file is found even if its prefix is wrong.
 * @param fromFile the names from the settings file
 */
export function unknownSettings(
  env: NodeJS.ProcessEnv,
  start: Start,
  known: readonly string[],
  fromFile: { has(name: string): boolean } = new Set(),
): UnknownSetting[] {
  const settings = new Set([...known, ...otherSettings]);
  return Object.keys(env)
    .filter((name) => (name.startsWith(start) || fromFile.has(name)) && env[name] && !settings.has(name))
    .map((name) => ({ name, ...nearestTo(name, start, known) }))
    .filter(({ name, misspelt }) => misspelt || name.startsWith(start));
}

/** Describes an unknown setting to the operator. */
export function unknownText({ name, nearest }: UnknownSetting): string {
  return `${name}: there is no such setting${nearest === undefined ? ' in this version' : `; the nearest is ${nearest}`}`;
}

/**
 * Adds unknown names to the problems. A misspelt name is always a problem, because the intended setting may restrict
 * access. Other names may belong to a newer version or a container manager, so they are only added to other problems.
 */
export function addUnknown(problems: string[], unknown: readonly UnknownSetting[]): void {
  const refused = problems.length > 0 ? unknown : unknown.filter(({ misspelt }) => misspelt);
  problems.push(...refused.map(unknownText));
}

function nearestTo(name: string, start: Start, known: readonly string[]): Omit<UnknownSetting, 'name'> {
  // The common prefix would make all names similar.
  const withoutStart = (one: string) => (name.startsWith(start) ? one.slice(start.length) : one);
  const given = withoutStart(name).toUpperCase();
  const [best] = known
    .map((one) => ({ one, wrong: distance(given, withoutStart(one)) }))
    .sort((a, b) => a.wrong - b.wrong);
  if (best === undefined) return { nearest: undefined, misspelt: false };
  const { length } = withoutStart(best.one);
  if (best.wrong <= Math.min(mostWrong, length / 3)) return { nearest: best.one, misspelt: true };
  if (best.wrong <= length * farthest) return { nearest: best.one, misspelt: false };
  // For example, CHAT_STORE suggests CHAT_SESSION_STORE, but not CHAT_SESSION_STORE_FILE.
  const isOther = (one: string) => one.endsWith('_FILE') && known.includes(one.slice(0, -'_FILE'.length));
  const alike = known.filter((one) => sharedWords(given, withoutStart(one)) && !isOther(one));
  return { nearest: alike.length === 1 ? alike[0] : undefined, misspelt: false };
}

/** Whether one of the names contains all words of the other. */
function sharedWords(given: string, known: string): boolean {
  const [some, others] = [given.split('_'), known.split('_')];
  return some.every((word) => others.includes(word)) || others.every((word) => some.includes(word));
}

/** Returns the optimal string alignment distance: letters to insert, delete, replace, or swap with the next one. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, n) => n)];
  for (let i = 1; i <= a.length; i++) {
    const [above, row] = [rows[i - 1] as number[], [i]];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (above[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(replaced, (above[j] as number) + 1, (row[j - 1] as number) + 1);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] && i > 1 && j > 1)
        least = Math.min(least, (rows[i - 2]?.[j - 2] as number) + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] as number;
}
