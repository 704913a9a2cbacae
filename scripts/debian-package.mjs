import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
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
import { basename, dirname, join } from 'node:path';
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
    putDocuments(program, join(files, 'usr/share'), changelog(version, control));
    cpSync(join(debian, 'lintian-overrides'), join(files, 'usr/share/lintian/overrides', name));
    const units = join(files, 'usr/lib/systemd/system');
    for (const unit of readdirSync(debian).filter((file) => file.endsWith('.service')))
      cpSync(join(debian, unit), join(units, unit));
    writeFileSync(join(units, `${name}@.service`), unitOfMoreSites());
    mkdirSync(join(files, 'usr/share/man/man1'), { recursive: true });
    const command = join(program, 'dist/server/command/main.js');
    const help = helpOf(command);
    const manual = gzipSync(manualPage(command, help), { level: 9 });
    writeFileSync(join(files, `usr/share/man/man1/${name}.1.gz`), manual);
    mkdirSync(join(files, 'usr/share/bash-completion/completions'), { recursive: true });
    writeFileSync(join(files, 'usr/share/bash-completion/completions', name), completion(help.commands));
    mkdirSync(join(files, 'usr/bin'));
    symlinkSync(`../lib/${name}/bin/${name}`, join(files, 'usr/bin', name));
    // The WordPress plugin, where its owner looks for it.
    symlinkSync(`../../lib/${name}/dist/${name}.zip`, join(files, 'usr/share', name, `${name}.zip`));
    setModes(files);
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

/**
 * Gives files the modes that Debian requires. Only programs are executable, while npm packages also contain executable
 * texts.
 * @param {string} files
 */
export function setModes(files) {
  for (const { path, isFolder } of entriesIn(files))
    chmodSync(path, isFolder || isProgram(path) ? 0o755 : 0o644);
}

/**
 * Returns the folders and files below a folder. `recursive` of Node would follow links to folders.
 * @param {string} folder
 * @returns {{ path: string, isFolder: boolean }[]}
 */
function entriesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return [{ path, isFolder: true }, ...entriesIn(path)];
    return entry.isFile() ? [{ path, isFolder: false }] : [];
  });
}

/** @param {string} path */
function isProgram(path) {
  const isExecutable = (statSync(path).mode & 0o111) !== 0;
  return isExecutable && /^(#!|\x7fELF)/.test(readFileSync(path, 'latin1').slice(0, 4));
}

/**
 * Moves the documents, the PHP library, the alerts and the dashboard to /usr/share.
 * @param {string} program @param {string} share the folder /usr/share @param {string} changes
 */
export function putDocuments(program, share, changes) {
  const documents = join(share, 'doc', name);
  const others = join(share, name);
  for (const folder of [documents, others]) mkdirSync(folder, { recursive: true });
  for (const page of ['docs', 'README.md', 'CHANGELOG.md'])
    renameSync(join(program, page), join(documents, page));
  // Not in the folder of documents, which images of containers omit. The links serve relative links of the pages.
  for (const folder of ['php', 'deploy']) {
    renameSync(join(program, folder), join(others, folder));
    symlinkSync(`../../${name}/${folder}`, join(documents, folder));
  }
  symlinkSync(`../doc/${name}/docs`, join(others, 'docs'));
  for (const folder of [documents, others]) {
    for (const page of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const file = join(folder, page);
      if (page.endsWith('.md'))
        writeFileSync(file, withoutMissing(readFileSync(file, 'utf8'), dirname(file)));
    }
  }
  // The command prints this path of the documents.
  symlinkSync(`../../share/doc/${name}/docs`, join(program, 'docs'));
  writeFileSync(join(documents, 'changelog.gz'), gzipSync(changes, { level: 9 }));
  // `copyright` contains the licence.
  rmSync(join(program, 'LICENSE'));
  cpSync(join(debian, 'copyright'), join(documents, 'copyright'));
}

/**
 * Replaces links to files that are not in the package, such as tests, by their text, and removes such pictures.
 * @param {string} page @param {string} folder of the page
 */
const withoutMissing = (page, folder) =>
  page.replace(/(!?)\[([^\]]*)\]\((?!#|[a-z]+:)([^)#\s]+)[^)]*\)/g, (link, isPicture, text, target) =>
    existsSync(join(folder, target)) ? link : isPicture ? '' : text,
  );

/** @param {string} command the compiled program */
function helpOf(command) {
  const { node } = runtime();
  const help = (/** @type {string[]} */ ...args) =>
    execFileSync(node, [command, ...args, '--help'], { encoding: 'utf8' });
  const overview = help();
  const names = [...overview.matchAll(/^ {2}([a-z-]+) {2}/gm)].map(([, name]) => name ?? '');
  return { overview, commands: names.map((name) => ({ name, text: help(name) })) };
}

/**
 * Returns the completion of commands and options for bash, generated from the help of each command.
 * @param {{ name: string, text: string }[]} commands
 */
export function completion(commands) {
  const words = (/** @type {string} */ options) => `COMPREPLY=($(compgen -W '${options}' -- "$word")) ;;`;
  const cases = commands.map(({ name, text }) => {
    const options = [...new Set(text.match(/(?<![\w-])--[a-z][a-z-]*/g)), '--help'];
    return `    *,${name},-*) ${words(options.join(' '))}`;
  });
  const names = [...commands.map(({ name }) => name), 'help', '--help', '--version'].join(' ');
  return `_php_session_chat() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  case $COMP_CWORD,\${COMP_WORDS[1]},$word in
    1,*) ${words(names)}
${cases.join('\n')}
    *) COMPREPLY=() ;;
  esac
}
complete -o default -F _php_session_chat ${name}
`;
}

/**
 * Returns the manual page, generated from the command's `--help`.
 * @param {string} command the compiled program
 */
export function manualPage(command, { overview, commands } = helpOf(command)) {
  const verbatim = (/** @type {string} */ text) =>
    `.nf\n${text
      .replaceAll(join(command, '../../../../docs'), `/usr/share/doc/${name}/docs`)
      .trim()
      .replaceAll('\\', '\\e')
      .replaceAll('-', '\\-')
      .replace(/^(?=[.'])/gm, '\\&')}\n.fi\n`;
  return [
    `.TH ${name.toUpperCase()} 1\n`,
    `.SH NAME\n${name.replaceAll('-', '\\-')} \\- real\\-time chat for PHP sites\n`,
    `.SH DESCRIPTION\n${verbatim(overview)}`,
    ...commands.map(({ name, text }) => `.SH ${name.toUpperCase()}\n${verbatim(text)}`),
    `.SH FILES\n${verbatim(`/etc/${name}/settings\n/etc/${name}/NAME.conf\n/var/lib/${name}\n/usr/share/${name}\n/usr/share/doc/${name}/docs`)}`,
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
export function putControl(files, control, values) {
  const all = entriesIn(files)
    .filter(({ isFolder }) => !isFolder)
    .map(({ path }) => path.slice(files.length + 1))
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
