/** Settings of the PHP application, which may share an environment with this server. */
const otherSettings = ['CHAT_API_URL'];
/** The most wrong letters in a misspelling, and never more than a third of the name. */
const mostWrong = 2;
/** A name further away than this fraction of its length is near to none. */
const farthest = 0.3;

/** The beginning of the names of a program's settings. */
type Start = 'CHAT_' | 'SESSION_SERVER_';

/** A name in the environment that looks like a setting but is none of this version. */
export interface UnknownSetting {
  name: string;
  /** The setting with the nearest name; undefined if none is near. */
  nearest: string | undefined;
  /** Only a letter or two are wrong, so the nearest one was meant. */
  misspelt: boolean;
}

/**
 * Finds names that begin like the settings of a program, are set, and are none: misspelt, of another version, or of
 * another program. In a file of settings a name can be misspelt from its beginning on.
 * @param fromFile the names that such a file has set
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
 * Adds the unknown names that are problems. A single wrong letter can change who gets in, so a misspelt name is one.
 * Other unknown names may belong to a newer version or to a container manager: they are listed beside other problems.
 */
export function addUnknown(problems: string[], unknown: readonly UnknownSetting[]): void {
  const refused = problems.length > 0 ? unknown : unknown.filter(({ misspelt }) => misspelt);
  problems.push(...refused.map(unknownText));
}

function nearestTo(name: string, start: Start, known: readonly string[]): Omit<UnknownSetting, 'name'> {
  // Only what all of them begin with says nothing.
  const withoutStart = (one: string) => (name.startsWith(start) ? one.slice(start.length) : one);
  const given = withoutStart(name).toUpperCase();
  const [best] = known
    .map((one) => ({ one, wrong: distance(given, withoutStart(one)) }))
    .sort((a, b) => a.wrong - b.wrong);
  if (best === undefined) return { nearest: undefined, misspelt: false };
  const { length } = withoutStart(best.one);
  if (best.wrong <= Math.min(mostWrong, length / 3)) return { nearest: best.one, misspelt: true };
  if (best.wrong <= length * farthest) return { nearest: best.one, misspelt: false };
  // For example CHAT_STORE for CHAT_SESSION_STORE.
  // The file that may hold a setting is not meant where that setting may be.
  const isOther = (one: string) => one.endsWith('_FILE') && known.includes(one.slice(0, -'_FILE'.length));
  const alike = known.filter((one) => sharedWords(given, withoutStart(one)) && !isOther(one));
  return { nearest: alike.length === 1 ? alike[0] : undefined, misspelt: false };
}

/** Whether one of two names has all the words of the other. */
function sharedWords(given: string, known: string): boolean {
  const [some, others] = [given.split('_'), known.split('_')];
  return some.every((word) => others.includes(word)) || others.every((word) => some.includes(word));
}

/** The optimal string alignment distance: letters to insert, delete, replace, or swap with the next one. */
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
