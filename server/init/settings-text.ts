import { CommandProblem, exit } from '../program/problem.ts';
import { listSettings, settingNames } from '../settings/config.ts';

/** Settings by their names. */
export type Settings = Readonly<Record<string, string | undefined>>;

/** Settings under one comment. */
interface SettingsGroup {
  comment: string;
  settings: Settings;
}

/**
 * Sorts settings into the groups of the file.
 * @param isDirect whether browsers reach the chat server without a web server before it
 */
export function groupSettings(site: string, settings: Settings, isDirect: boolean): SettingsGroup[] {
  const grouped = new Set<string>();
  const group = (comment: string, pattern: RegExp, first: Settings = {}): SettingsGroup => {
    const names = [...settingNames].filter(
      (name) => pattern.test(name) && !grouped.has(name) && settings[name] !== undefined,
    );
    for (const name of names) grouped.add(name);
    return {
      comment,
      settings: { ...first, ...Object.fromEntries(names.map((name) => [name, settings[name]])) },
    };
  };
  return [
    group('The folder of the site that users log in to.', /^CHAT_(SITE_|SESSION_|USER_)/, {
      CHAT_SITE: site,
    }),
    group('Admins and moderators, in addition to the roles from the site.', /^CHAT_(ADMINS|MODERATORS)$/),
    group('The team that answers questions of visitors.', /^CHAT_TEAM$/),
    group('The pages with the chat, the login page and the chat server.', /^CHAT_(ORIGINS|LOGIN_URL|URL)$/),
    group(describeNetwork(settings.CHAT_HOST, isDirect), /^CHAT_(HOST|PORT|TRUSTED_PROXIES)$/),
    group('The name, colour and logo of the site.', /^CHAT_(NAME|ACCENT|LOGO)$/),
    group('The time zone for quiet hours and daily mails.', /^CHAT_TIME_ZONE$/),
    group('The messages and files.', /^CHAT_(HISTORY|FILES)$/),
    group('Other settings from the environment.', /./),
  ];
}

function describeNetwork(host: string | undefined, isDirect: boolean): string {
  if (host !== '127.0.0.1') return 'The address of the chat server, and the proxies before it.';
  return isDirect
    ? 'Only this machine reaches the chat server.'
    : 'Only the web server of this machine reaches the chat server.';
}

/** Hides keys and passwords, for a screen. */
export function withoutSecrets(groups: readonly SettingsGroup[]): SettingsGroup[] {
  const all = Object.assign({}, ...groups.map(({ settings }) => settings));
  const shown = new Map(listSettings(all).map(({ name, value }) => [name, value]));
  return groups.map(({ comment, settings }) => ({
    comment,
    settings: Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [name, value && shown.get(name)]),
    ),
  }));
}

/** Returns the text of a settings file, in a form that systemd, a shell and the server read in the same way. */
export function settingsText(title: string, groups: readonly SettingsGroup[]): string {
  const parts = groups.flatMap(({ comment, settings }) => {
    const lines = Object.entries(settings).flatMap(([name, value]) =>
      value === undefined ? [] : `${name}=${quote(name, value)}`,
    );
    return lines.length === 0 ? [] : [[`# ${comment}`, ...lines].join('\n')];
  });
  return `${[`# ${title}`, ...parts].join('\n\n')}\n`;
}

function quote(name: string, value: string): string {
  if (/\p{Cc}/u.test(value))
    throw new CommandProblem(
      exit.configuration,
      `${name}: the value contains a control character, which is not allowed in settings`,
    );
  if (/^[A-Za-z0-9_.,:/@%+-]*$/.test(value)) return value;
  return value.includes("'") ? `"${value.replace(/["\\`$]/g, '\\$&')}"` : `'${value}'`;
}
