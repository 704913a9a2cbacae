import { join } from 'node:path';
import { type IniSurroundings, type IniValue, parseIni } from './ini.ts';
import type { System } from './system.ts';

/** An installation of PHP on the machine. */
export interface Installation {
  version: string;
  kind: 'fpm' | 'apache' | 'cli';
  /** The folder of php.ini. */
  iniFolder: string;
  /** The folder of additional ini files. */
  scanFolder: string;
  /** The SAPI in `php-SAPI.ini`, which replaces php.ini. */
  sapi: string;
  fpmFile: string;
  /** The package's default of session.save_path. */
  savePath: string;
}

/** Debian patches the default of session.save_path. Its cron job deletes expired sessions there. */
const debianSavePath = '/var/lib/php/sessions';

/** The folder in Debian and the SAPI of each kind. */
const kinds = {
  fpm: ['fpm', 'fpm-fcgi'],
  apache: ['apache2', 'apache2handler'],
  cli: ['cli', 'cli-server'],
} as const;

export async function findInstallations(system: System): Promise<Installation[]> {
  const installations: Installation[] = [];
  const addIfExists = async (installation: Omit<Installation, 'sapi'>) => {
    const { kind, fpmFile, iniFolder } = installation;
    const names = await system.list(iniFolder);
    const exists = kind === 'fpm' ? (await system.text(fpmFile)) !== null : names.includes('php.ini');
    if (exists) installations.push({ ...installation, sapi: kinds[kind][1] });
  };
  const allKinds = Object.keys(kinds) as (keyof typeof kinds)[];
  // Debian has a folder per version and kind.
  for (const version of await system.list('/etc/php')) {
    if (!/^\d+\.\d+$/.test(version)) continue;
    for (const kind of allKinds) {
      const iniFolder = `/etc/php/${version}/${kinds[kind][0]}`;
      const [scanFolder, fpmFile] = [`${iniFolder}/conf.d`, `${iniFolder}/php-fpm.conf`];
      await addIfExists({ version, kind, iniFolder, scanFolder, fpmFile, savePath: debianSavePath });
    }
  }
  // Official images, Fedora, Arch, Remi's packages and Alpine have one php.ini for all kinds.
  const layouts = [
    ['/usr/local/etc', '/usr/local/etc/php', '/usr/local/etc/php/conf.d'],
    ['/etc', '/etc', '/etc/php.d'],
    ['/etc/php', '/etc/php', '/etc/php/conf.d'],
    ...(await system.glob('/etc/opt/remi/php[0-9]*')).map((folder) => [folder, folder, `${folder}/php.d`]),
    ...(await system.glob('/etc/php[0-9]*')).map((folder) => [folder, folder, `${folder}/conf.d`]),
  ] as const;
  for (const [folder = '', iniFolder = '', scanFolder = ''] of layouts) {
    const version = /php(\d)(\d+)$/.exec(folder)?.slice(1).join('.') ?? '';
    const fpmFile = `${folder}/php-fpm.conf`;
    for (const kind of allKinds)
      await addIfExists({ version, kind, iniFolder, scanFolder, fpmFile, savePath: '' });
  }
  return installations;
}

/** The values of php.ini and additional ini files. */
interface Ini {
  values: Map<string, LocatedValue>;
  /** The values in `[PATH=…]`, by path. */
  paths: Map<string, Map<string, LocatedValue>>;
  hosts: Map<string, Map<string, LocatedValue>>;
}

export const createIni = (): Ini => ({ values: new Map(), paths: new Map(), hosts: new Map() });

/** Reads ini files, and records their names and errors. */
export class IniReader {
  readonly system: System;
  readonly environment: IniSurroundings['environment'];
  readonly files = new Set<string>();
  /** Positions of syntax errors. */
  readonly errors: string[] = [];

  constructor(system: System, environment: IniSurroundings['environment']) {
    this.system = system;
    this.environment = environment;
  }

  /**
   * Adds the values of an ini file like `php_ini_parser_cb()`.
   * @param directives the values of php.ini, for `${NAME}`
   * @returns whether the file exists
   */
  async add(ini: Ini, file: string, directives: Ini = ini): Promise<boolean> {
    const text = await this.system.text(file);
    if (text === null) return false;
    this.files.add(file);
    const directive = (name: string) => directives.values.get(name)?.value;
    let active = ini.values;
    for (const statement of parseIni(text, file, { directive, environment: this.environment })) {
      const { line } = statement;
      if (statement.kind === 'section') active = getSection(ini, statement.name) ?? active;
      else if (statement.kind === 'entry') active.set(statement.name, { value: statement.value, file, line });
      else if (statement.kind === 'error') this.errors.push(`${file} line ${line}`);
    }
    return true;
  }
}

/** Returns the values of `[PATH=…]` or `[HOST=…]`. Undefined for other sections, which do not end the previous one. */
function getSection(ini: Ini, title: string): Map<string, LocatedValue> | undefined {
  const [, kind, rest] = /^(PATH|HOST)(.+)$/is.exec(title) ?? [];
  if (kind === undefined || rest === undefined) return undefined;
  const key = rest.replace(/[/\\]+$/, '').replace(/^[= \t]+/, '');
  const [sections, name] = kind.toUpperCase() === 'PATH' ? [ini.paths, key] : [ini.hosts, key.toLowerCase()];
  const section = sections.get(name) ?? new Map<string, LocatedValue>();
  sections.set(name, section);
  return section;
}

export interface LocatedValue {
  value: IniValue;
  file: string;
  line: number;
}

export async function readIni(
  reader: IniReader,
  { iniFolder, scanFolder, sapi }: Installation,
): Promise<Ini> {
  const ini = createIni();
  if (!(await reader.add(ini, join(iniFolder, `php-${sapi}.ini`))))
    await reader.add(ini, join(iniFolder, 'php.ini'));
  for (const name of await reader.system.list(scanFolder))
    if (name.endsWith('.ini')) await reader.add(ini, join(scanFolder, name));
  return ini;
}
