import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const recorder = join(import.meta.dirname, '../fixtures/phpt-recorder.php');

/**
 * Runs PHP's own tests of sessions and of serialize(), and records their values as sessions. The tests belong to this
 * machine's PHP. They come from the source package of its Debian release, whose signature and hash apt checks.
 * @returns the path of the recorded sessions; `remove` removes everything
 */
export function recordPhpTests(): { recorded: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'chat-phpt-'));
  const remove = () => rmSync(folder, { recursive: true });
  try {
    loadSource(folder);
    const recorded = join(folder, 'recorded');
    writeFileSync(recorded, '');
    for (const path of globSync(join(folder, 'php-*/ext/**/*.phpt')).sort()) run(path, recorded);
    return { recorded, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function loadSource(folder: string): void {
  const sh = (command: string) => execFileSync('sh', ['-ec', command], { cwd: folder, encoding: 'utf8' });
  // Separate package lists, because the machine's lists contain no sources and may be locked.
  for (const name of ['lists/partial', 'archives/partial'])
    mkdirSync(join(folder, name), { recursive: true });
  const release = sh('. /etc/os-release; echo "$VERSION_CODENAME"').trim();
  writeFileSync(join(folder, 'sources'), `deb-src http://deb.debian.org/debian ${release} main\n`);
  const settings = {
    'Dir::Etc::sourcelist': `${folder}/sources`,
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': `${folder}/lists`,
    'Dir::Cache::archives': `${folder}/archives`,
    'APT::Sandbox::User': 'root',
  };
  const options = Object.entries(settings).map(([name, value]) => `-o ${name}=${value}`);
  const apt = `apt-get -qq ${options.join(' ')}`;
  sh(`${apt} update >&2`);
  const version = sh('php -r \'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;\'');
  sh(`${apt} --only-source --download-only source php${version} >&2`);
  sh("tar -xf *.orig.tar.xz --wildcards 'php-*/ext/session' 'php-*/ext/standard/tests/serialize'");
}

/** Calls to functions that the recorder defines under another name. Does not match methods and declarations. */
const calls = /(?<![\w$\\>:])(?<!function )(?=(un)?serialize\s*\(|session_(en|de)code\s*\()/g;

function run(path: string, recorded: string): void {
  // The bytes of a test need not be UTF-8.
  const [, ...parts] = readFileSync(path, 'latin1').split(/^--([A-Z_]+)--\r?\n/m);
  const section = (name: string) => (parts.includes(name) ? (parts[parts.indexOf(name) + 1] ?? '') : '');
  const cwd = dirname(path);
  // In the same folder as the files that it includes.
  const script = path.replace(/t$/, '');
  writeFileSync(script, section('FILE').replaceAll(calls, 'recorded_'), 'latin1');
  const ini = section('INI').split(/\r?\n/).filter(Boolean);
  const settings = [
    'extension=igbinary',
    `auto_prepend_file=${recorder}`,
    `session.save_path=${cwd}`,
    ...ini.map((line) => line.replace('{PWD}', cwd)),
  ];
  const args = ['-n', ...settings.flatMap((setting) => ['-d', setting]), script];
  // The exit code does not matter, because some tests crash on purpose.
  spawnSync('php', args, {
    cwd,
    stdio: 'ignore',
    timeout: 20_000,
    env: { ...process.env, RECORDED: recorded },
  });
}
