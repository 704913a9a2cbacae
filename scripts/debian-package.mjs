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
import { root } from './npm-packages.mjs';
import { runQuietly } from './quiet.mjs';

const name = 'php-session-chat';
/** Debian adds services, an account, the care for settings and data. */
const debian = join(root, 'deploy/debian');
/** The architectures of Debian, and what npm calls them. */
export const architectures = { amd64: 'x64', arm64: 'arm64' };

/**
 * Makes a Debian package of the npm package, with all that npm would install. The same input makes the same bytes if the
 * environment has a SOURCE_DATE_EPOCH.
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

/** The unit for the sites beside the first one. docs/operate.md makes it by `sed`. */
export const unitOfMoreSites = () =>
  readFileSync(join(debian, `${name}.service`), 'utf8')
    .replace(/(?<=^Description=.*)$/m, ' for %i')
    .replace(/(?<=^ExecStart=.*)$/m, ' --settings /etc/php-session-chat/%i.conf')
    .replaceAll('/etc/php-session-chat/settings', '/etc/php-session-chat/%i.conf')
    .replace(
      /(?<=^(?:WorkingDirectory|CacheDirectory|StateDirectory|Environment=NODE_COMPILE_CACHE)=.*)$/gm,
      '/%i',
    );

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
  // Links of npm, and the settings of other projects' tools.
  for (const entry of readdirSync(modules, { recursive: true, encoding: 'utf8' }))
    if (basename(entry).startsWith('.')) rmSync(join(modules, entry), { recursive: true, force: true });
}

/** @param {string} program @param {string} documents @param {string} changes */
function putDocuments(program, documents, changes) {
  mkdirSync(documents, { recursive: true });
  for (const page of ['docs', 'README.md', 'CHANGELOG.md'])
    renameSync(join(program, page), join(documents, page));
  writeFileSync(join(documents, 'changelog.gz'), gzipSync(changes, { level: 9 }));
  // The licence is in it.
  rmSync(join(program, 'LICENSE'));
  cpSync(join(debian, 'copyright'), join(documents, 'copyright'));
}

/** In the form of Debian, whose tools look for it. @param {string} version @param {string} control */
function changelog(version, control) {
  const [, maintainer] = /^Maintainer: (.*)$/m.exec(control) ?? [];
  const date = new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000).toUTCString().replace('GMT', '+0000');
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
