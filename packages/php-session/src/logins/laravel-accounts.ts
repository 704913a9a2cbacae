import { createHmac } from 'node:crypto';
import { ConfigurationError } from '../configuration/configuration.ts';
import { displayName } from '../identity.ts';
import { notLoggedIn } from '../login.ts';
import { option } from '../names.ts';
import type { Accounts, SessionTexts } from './application.ts';
import { isSameSecret } from './claim.ts';
import { type Config, readDatabase, removeComments } from './laravel-configuration.ts';
import { fileContains } from './own-sessions.ts';
import type { SiteFolder } from './site-folder.ts';
import {
  quoteTable,
  seldomChanged,
  selectAccounts,
  selectColumns,
  selectMails,
  texts,
  textsOf,
} from './site-table.ts';

/**
 * Returns the path to a user's ID: `SessionGuard::getName()`, with the SHA-1 of the guard's class.
 * @param isOther with the guards of lab404/laravel-impersonate (src/Guard/SessionGuard.php)
 */
export const toUserPath = (guard: string, isOther = false) =>
  `login_${guard}_${isOther ? '3dc7a913ef5fd4b890ecabe3487085573e16cf82' : '59ba36addc2b2f9401580f014c7f58ea4e30989d'}`;

/** Captures the guard in a path of `toUserPath`, for any class of guards. */
export const guardPattern = /^login_([^.]+)_[0-9a-f]{40}$/;

interface Impersonation {
  /** The application uses the guards of lab404/laravel-impersonate. */
  hasOtherGuards: boolean;
  /** Keys of a session in which an admin acts as another user. */
  marks: readonly string[];
}

/**
 * Reads how an admin acts as another user: lab404/laravel-impersonate (src/Services/ImpersonateManager.php,
 * config/laravel-impersonate.php), stechstudio/filament-impersonate (src/ImpersonateManager.php), Laravel Nova
 * (src/Auth/Adapters/SessionImpersonator.php).
 */
export async function readImpersonation(
  folder: SiteFolder,
  root: string,
  config: Config,
): Promise<Impersonation> {
  const hasOtherGuards = await folder.has(`${root}/vendor/lab404/laravel-impersonate/composer.json`);
  const own = 'a literal value in config/laravel-impersonate.php';
  const named = hasOtherGuards ? await config('laravel-impersonate', ['session_key'], own) : null;
  return { hasOtherGuards, marks: [named || 'impersonated_by', 'nova_impersonated_by'] };
}

/**
 * Finds the table with the users of a guard. A session may outlive its user, or the password whose hash the middleware
 * `AuthenticateSession` compares.
 * @throws ConfigurationError
 */
export async function readAccounts({
  folder,
  root,
  config,
  guard,
  impersonation,
  appKey,
  given,
}: {
  folder: SiteFolder;
  root: string;
  config: Config;
  guard: string;
  impersonation: Impersonation;
  appKey: string | null;
  given: SessionTexts;
}): Promise<Accounts> {
  const auth = (...keys: string[]) => config('auth', keys, option('userId'));
  const driver = (await auth('guards', guard, 'driver')) ?? 'session';
  if (driver !== 'session')
    throw new ConfigurationError(
      `${root}: the guard ${guard} does not keep users in sessions (its driver is ${driver}): set ${option('userId')}=${toUserPath('GUARD', impersonation.hasOtherGuards)} with the name of another guard`,
    );
  const provider = (await auth('guards', guard, 'provider')) ?? 'users';
  const ofProvider = (key: string) => auth('providers', provider, key);
  const kind = (await ofProvider('driver')) ?? 'eloquent';
  if (kind !== 'eloquent' && kind !== 'database')
    throw new ConfigurationError(
      `${root}: the users of the guard ${guard} have a driver of this application (auth.providers.${provider}.driver is ${kind}), which is not supported: set ${option('site')} to "laravel:" (no folder), and set ${option('store')}`,
    );
  const model =
    kind === 'eloquent'
      ? await readModel(folder, root, (await ofProvider('model')) ?? 'App\\Models\\User')
      : {
          table: (await ofProvider('table')) ?? 'users',
          connection: await ofProvider('connection'),
          key: 'id',
          password: 'password',
          confirmsMail: false,
        };
  const { database, prefix } = await readDatabase(root, config, model.connection);
  const table = prefix + model.table;
  if (!/^\w+(\.\w+)?$/.test(table))
    throw new ConfigurationError(
      `${root}: the name of the users' table has characters other than A-Z a-z 0-9 _`,
    );
  const skipsEmpty = await skipsEmptyPassword(folder, root);
  // All of these columns are optional.
  const columns = ['name', model.password, 'deleted_at'];
  const [mail, confirmed] = ['email', 'email_verified_at'];
  // `AuthenticateSession` stores the hash under the name of the guard. With `auth:sanctum`, as in Jetstream, that is `sanctum`,
  // a guard with the users of `web`.
  const hashPaths = [`password_hash_${guard}`, ...(guard === 'web' ? ['password_hash_sanctum'] : [])];
  return {
    proof: [...hashPaths, ...impersonation.marks],
    database,
    basis: {
      ...{ guard, appKey, table, skipsEmpty },
      ...{ key: model.key, password: model.password, confirmsMail: model.confirmsMail },
    },
    settings: ({ schema }) =>
      selectColumns(table, [...columns, mail, confirmed], {
        view: 'chat_laravel_columns',
        kind: database.kind,
        schema,
      }),
    users(sql, known) {
      const value = (name: string) => (known.has(name) ? `u.${quoteTable(name, sql)}` : 'NULL');
      // NULL stands for a missing column, so a stored NULL becomes empty. Versions before 11 then see a new password.
      const password = known.has(model.password) ? `COALESCE(${value(model.password)}, '')` : 'NULL';
      const read = `${value('name')} AS name, ${password} AS password, ${value('deleted_at')} AS deleted_at`;
      const users = {
        view: 'chat_laravel_users',
        id: 'id',
        lookup: 'id',
        columns: texts('id', 'name', 'password', 'deleted_at'),
        select: `SELECT u.${quoteTable(model.key, sql)} AS id, ${read} FROM ${quoteTable(table, sql)} AS u`,
      };
      return seldomChanged(users, [table]);
    },
    mails(sql, known) {
      const conditions = [
        ...(known.has('deleted_at') ? ['deleted_at IS NULL'] : []),
        ...(model.confirmsMail && known.has(confirmed) ? [`${confirmed} IS NOT NULL`] : []),
      ];
      return selectMails(
        'chat_laravel_mails',
        quoteTable(table, sql) + (conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`),
        quoteTable(model.key, sql),
        known.has(mail) ? quoteTable(mail, sql) : 'NULL',
      );
    },
    all(sql, known) {
      const from = `${quoteTable(table, sql)}${known.has('deleted_at') ? ' WHERE deleted_at IS NULL' : ''}`;
      // With a name from the session, the table is not searched.
      const isNamed = known.has('name') && !given.userName;
      const name = isNamed ? quoteTable('name', sql) : 'NULL';
      const accounts = selectAccounts('chat_laravel_accounts', from, {
        id: quoteTable(model.key, sql),
        name,
      });
      return isNamed ? accounts : { ...accounts, search: [] };
    },
    checkRow(row, { user, proof }) {
      if (proof.slice(hashPaths.length).some((mark) => mark !== null))
        return notLoggedIn('another user is acting as this user');
      if (row === null) return notLoggedIn('the user no longer exists');
      if (row.deleted_at !== null) return notLoggedIn('the user is deleted');
      const { password } = row;
      const hashes = proof.slice(0, hashPaths.length).filter((hash) => hash !== null);
      if (hashes.length > 0 && !password)
        return notLoggedIn(
          `the application ends logins after a new password, but the users' table has no column ${model.password}`,
          `set $authPasswordName in the model to the column of the passwords. To check only the session instead, set ${option('site')} to "laravel:" (no folder), and set ${option('store')}`,
        );
      const isCompared = password && !(skipsEmpty && isEmpty(password));
      if (isCompared && !hashes.every((hash) => matchesHash(password, hash, appKey)))
        return notLoggedIn('the user has a new password, or logged out other devices');
      const name = given.userName ? user.name : displayName(textsOf(row)('name')) || user.id;
      return { state: 'user', user: { ...user, name } };
    },
  };
}

/** Whether PHP's `empty()` is true for the text. */
const isEmpty = (text: Buffer) => text.length === 0 || text.equals(zero);
const zero = Buffer.from('0');

/** Whether `AuthenticateSession` accepts any hash if the password is empty, as since version 11. */
async function skipsEmptyPassword(folder: SiteFolder, root: string): Promise<boolean> {
  const file = `${root}/vendor/laravel/framework/src/Illuminate/Session/Middleware/AuthenticateSession.php`;
  return fileContains(folder, file, '! $request->user()->getAuthPassword()');
}

/**
 * Whether the session's hash is of this password. Sessions have the stored hash, or since 12.45 an HMAC of it:
 * `SessionGuard::hashPasswordForCookie()`.
 */
function matchesHash(password: Buffer, hash: string, appKey: string | null): boolean {
  const given = Buffer.from(hash, 'latin1');
  const keyed = createHmac('sha256', appKey ?? 'base-key-for-password-hash-mac')
    .update(password)
    .digest('hex');
  return [password, Buffer.from(keyed)].some((expected) => isSameSecret(expected, given));
}

interface Model {
  table: string;
  connection: string | null;
  key: string;
  /** The column of the password. */
  password: string;
  /** Users must confirm their address: Illuminate/Auth/MustVerifyEmail.php. */
  confirmsMail: boolean;
}

/** Reads what the model's code sets with literal texts. The rest has Laravel's defaults. */
async function readModel(folder: SiteFolder, root: string, name: string): Promise<Model> {
  const file = `${root}/${name.replace(/^\\?App\\/, 'app/').replaceAll('\\', '/')}.php`;
  const source = (await folder.has(file)) ? removeComments(await folder.text(file)) : '';
  const property = (property: string) =>
    new RegExp(`\\$${property}\\s*=\\s*(['"])([\\w.]+)\\1`).exec(source)?.[2];
  const [ahead = ''] = source.split(/^(?:(?:abstract|final|readonly) )*class\s/m, 1);
  const attribute = (name: string, argument: string) =>
    new RegExp(`(?:#\\[|,)\\s*(?:\\w*\\\\)*${name}\\(${argument}(['"])([\\w.]+)\\1`).exec(ahead)?.[2];
  const column = '([\\w\\u0080-\\uffff]+)';
  const method = (name: string, body: string) =>
    new RegExp(`function\\s+${name}\\s*\\([^{}]*\\{${body}`).exec(source)?.[1];
  const own = name
    .replace(/^.*\\/, '')
    .replace(/(?!^)[A-Z]/g, '_$&')
    .toLowerCase();
  return {
    table:
      property('table') ??
      attribute('Table', '(?:name:\\s*)?') ??
      `${own.replace(/([^aeiou])y$/, '$1ie').replace(/(s|x|ch|sh)$/, '$1e')}s`,
    connection: property('connection') ?? attribute('Connection', '(?:name:\\s*)?') ?? null,
    key: property('primaryKey') ?? attribute('Table', '(?:[^)]*\\bkey:|[^,)]*,)\\s*') ?? 'id',
    password:
      method(
        'getAuthPassword',
        `[^}]*?\\$this->(?:attributes\\[['"])?${column}(?![\\w\\u0080-\\uffff(\\[])`,
      ) ??
      method('getAuthPasswordName', `\\s*return\\s*['"]${column}['"]`) ??
      new RegExp(`\\$authPasswordName\\s*=\\s*['"]${column}['"]`).exec(source)?.[1] ??
      'password',
    confirmsMail: /\bimplements\b[^{]*MustVerifyEmail/.test(source),
  };
}
