import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Problem } from './command.mjs';
import { root, runtime } from './npm-packages.mjs';
import { runQuietly } from './quiet.mjs';

const name = 'php-session-chat';
/** The services and scripts that the Debian package adds. */
const debian = join(root, 'deploy/debian');
/** The architectures of Debian, with npm's names. */
export const architectures = { amd64: 'x64', arm64: 'arm64' };

/**
 * Builds a Debian package from the npm package and its dependencies. The package is reproducible if SOURCE_DATE_EPOCH
 * is set.
 * @param {string} tarball the npm package
 * @param {keyof typeof architectures} architecture
 * @param {string} version
 * @param {string} out the folder for it
 */
export async function makeDebianPackage(tarball, architecture, version, out) {
  const files = mkdtempSync(join(tmpdir(), 'php-session-chat-deb-'));
  try {
    const program = join(files, 'usr/lib', name);
    await installProgram(tarball, architectures[architecture], program);
    const control = readFileSync(join(debian, 'control'), 'utf8');
    putDocuments(program, join(files, 'usr/share/doc', name), changelog(version, control));
    cpSync(join(debian, 'lintian-overrides'), join(files, 'usr/share/lintian/overrides', name));
    const units = join(files, 'usr/lib/systemd/system');
    for (const unit of readdirSync(debian).filter((file) => file.endsWith('.service')))
      cpSync(join(debian, unit), join(units, unit));
    writeFileSync(join(units, `${name}@.service`), unitOfMoreSites());
    mkdirSync(join(files, 'usr/share/man/man1'), { recursive: true });
    const manual = gzipSync(manualPage(join(program, 'dist/server/command/main.js')), { level: 9 });
    writeFileSync(join(files, `usr/share/man/man1/${name}.1.gz`), manual);
    mkdirSync(join(files, 'usr/bin'));
    symlinkSync(`../lib/${name}/bin/${name}`, join(files, 'usr/bin', name));
    putControl(files, control, { VERSION: version, ARCH: architecture });
    await succeed('dpkg-deb', [
      '--root-owner-group',
      '-Zxz',
      '-z3',
      '--threads-max=1',
      '--build',
      files,
      out,
    ]);
  } finally {
    rmSync(files, { recursive: true, force: true });
  }
}

/** Returns the unit for additional sites. docs/operate/two-sites.md creates the same with `sed`. */
export const unitOfMoreSites = () =>
  readFileSync(join(debian, `${name}.service`), 'utf8')
    .replace(/(?<=^Description=.*)$/m, ' for %i')
    .replace(/(?<=^ExecStart=.*)$/m, ' --settings /etc/php-session-chat/%i.conf')
    .replaceAll('/etc/php-session-chat/settings', '/etc/php-session-chat/%i.conf')
    .replaceAll(`${name}/main`, `${name}/%i`);

/** @param {string} tarball @param {string} cpu @param {string} program */
async function installProgram(tarball, cpu, program) {
  mkdirSync(program, { recursive: true });
  await succeed('tar', ['-xzf', tarball, '-C', program, '--strip-components=1']);
  cpSync(join(root, 'package-lock.json'), join(program, 'package-lock.json'));
  const platform = ['--os=linux', `--cpu=${cpu}`, '--libc=glibc'];
  await succeed('npm', ['ci', '--omit=dev', '--ignore-scripts', ...platform], program);
  rmSync(join(program, 'package-lock.json'));
  const modules = join(program, 'node_modules');
  for (const part of ['include', 'share'])
    rmSync(join(modules, `node-linux-${cpu}`, part), { recursive: true });
  // Pictures are decoded by WebAssembly.
  for (const native of ['sharp', 'sharp-libvips'])
    rmSync(join(modules, '@img', `${native}-linux-${cpu}`), { recursive: true });
  // Removes npm's links, and settings of the packages' development tools.
  for (const entry of readdirSync(modules, { recursive: true, encoding: 'utf8' }))
    if (basename(entry).startsWith('.')) rmSync(join(modules, entry), { recursive: true, force: true });
}

/** @param {string} program @param {string} documents @param {string} changes */
function putDocuments(program, documents, changes) {
  mkdirSync(documents, { recursive: true });
  for (const page of ['docs', 'README.md', 'CHANGELOG.md'])
    renameSync(join(program, page), join(documents, page));
  // The command prints this path of the documents.
  symlinkSync(`../../share/doc/${name}/docs`, join(program, 'docs'));
  writeFileSync(join(documents, 'changelog.gz'), gzipSync(changes, { level: 9 }));
  // `copyright` contains the licence.
  rmSync(join(program, 'LICENSE'));
  cpSync(join(debian, 'copyright'), join(documents, 'copyright'));
}

/**
 * Returns the manual page, generated from the command's `--help`.
 * @param {string} command the compiled program
 */
export function manualPage(command) {
  const { node } = runtime();
  const help = (/** @type {string[]} */ ...args) =>
    execFileSync(node, [command, ...args, '--help'], { encoding: 'utf8' })
      .replaceAll(join(command, '../../../../docs'), `/usr/share/doc/${name}/docs`)
      .trim();
  const overview = help();
  const commands = [...overview.matchAll(/^ {2}([a-z-]+) {2}/gm)].map(([, command]) => command);
  const verbatim = (/** @type {string} */ text) =>
    `.nf\n${text
      .replaceAll('\\', '\\e')
      .replaceAll('-', '\\-')
      .replace(/^(?=[.'])/gm, '\\&')}\n.fi\n`;
  return [
    `.TH ${name.toUpperCase()} 1\n`,
    `.SH NAME\n${name.replaceAll('-', '\\-')} \\- real\\-time chat for PHP sites\n`,
    `.SH DESCRIPTION\n${verbatim(overview)}`,
    ...commands.map((command) => `.SH ${command.toUpperCase()}\n${verbatim(help(command))}`),
    `.SH FILES\n${verbatim(`/etc/${name}/settings\n/etc/${name}/NAME.conf\n/var/lib/${name}\n/usr/share/doc/${name}/docs`)}`,
  ].join('');
}

/**
 * Returns a changelog in Debian's format, which Debian's tools require.
 * @param {string} version @param {string} control
 */
function changelog(version, control) {
  const [, maintainer] = /^Maintainer: (.*)$/m.exec(control) ?? [];
  const date = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000)
    .toUTCString()
    .replace('GMT', '+0000');
  return `${name} (${version}) stable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- ${maintainer}  ${date}\n`;
}

/** @param {string} files @param {string} control @param {Record<string, string>} values */
function putControl(files, control, values) {
  const all = readdirSync(files, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(files.length + 1))
    .sort();
  const size = all.reduce((sum, file) => sum + Math.ceil(statSync(join(files, file)).size / 1024), 0);
  const sums = all.map((file) => {
    const hash = createHash('md5').update(readFileSync(join(files, file)));
    return `${hash.digest('hex')}  ${file}\n`;
  });
  const folder = join(files, 'DEBIAN');
  mkdirSync(folder);
  const filled = Object.entries({ ...values, SIZE: String(size) }).reduce(
    (text, [key, value]) => text.replace(`\${${key}}`, value),
    control,
  );
  writeFileSync(join(folder, 'control'), filled);
  writeFileSync(join(folder, 'md5sums'), sums.join(''));
  for (const script of ['postinst', 'prerm', 'postrm']) cpSync(join(debian, script), join(folder, script));
}

/** @param {string} program @param {string[]} args */
async function succeed(program, args, cwd = root) {
  const result = await runQuietly(program, args, { cwd, env: process.env });
  if (!result.ok) throw new Problem(`${program} ${args.join(' ')} failed:\n\n${result.output}`);
}
