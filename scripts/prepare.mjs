import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Problem, UNAVAILABLE } from './command.mjs';
import { installDebianPackages, installLine } from './debian.mjs';
import { installNpmPackages } from './npm-packages.mjs';

/** @typedef {'start' | 'cluster' | 'test' | 'soak'} Command */

/** The arguments of `npm` for each command. @type {Record<Command, string>} */
const typed = { start: 'start', cluster: 'run start:cluster', test: 'test', soak: 'run test:soak' };

/**
 * The requirements of the commands besides Node and npm: the Debian package, the commands that need it, and a check
 * whether it is installed. The check tests for the package's content, so that PHP from other sources also works.
 * @type {{ name: string, only?: Command[], present: () => boolean }[]}
 */
const needs = [
  { name: 'libatomic1', present: () => process.platform !== 'linux' || hasLibrary('libatomic.so.1') }, // Node 26
  { name: 'php-cli', present: () => onPath('php') },
  { name: 'php-memcached', present: () => phpHas('memcached') },
  { name: 'php-sqlite3', present: () => phpHas('pdo_sqlite') },
  { name: 'memcached', present: () => onPath('memcached') },
  { name: 'phpunit', only: ['test'], present: () => onPath('phpunit') },
  { name: 'php-xml', only: ['test'], present: () => phpHas('dom', 'xmlwriter') },
  { name: 'php-mbstring', only: ['test'], present: () => phpHas('mbstring') },
  { name: 'php-igbinary', only: ['test'], present: () => phpHas('igbinary') },
  { name: 'php-msgpack', only: ['test'], present: () => phpHas('msgpack') },
  { name: 'php-memcache', only: ['test'], present: () => phpHas('memcache') },
  { name: 'php-redis', only: ['test'], present: () => phpHas('redis') },
  { name: 'php-mysql', only: ['test'], present: () => phpHas('pdo_mysql') },
  { name: 'php-pgsql', only: ['test'], present: () => phpHas('pdo_pgsql') },
  {
    name: 'php-fpm',
    only: ['test'],
    present: () =>
      existsSync('/usr/sbin') && readdirSync('/usr/sbin').some((file) => file.startsWith('php-fpm')),
  },
  {
    name: 'libapache2-mod-php',
    only: ['test'],
    present: () => {
      const modules = '/usr/lib/apache2/modules';
      return existsSync(modules) && readdirSync(modules).some((file) => file.startsWith('libphp'));
    },
  },
  // Laravel's own classes.
  { name: 'php-illuminate-session', only: ['test'], present: () => hasPhpClasses('Illuminate/Session') },
  {
    name: 'php-illuminate-encryption',
    only: ['test'],
    present: () => hasPhpClasses('Illuminate/Encryption'),
  },
  { name: 'php-illuminate-cookie', only: ['test'], present: () => hasPhpClasses('Illuminate/Cookie') },
  { name: 'php-illuminate-auth', only: ['test'], present: () => hasPhpClasses('Illuminate/Auth') },
  { name: 'php-illuminate-config', only: ['test'], present: () => hasPhpClasses('Illuminate/Config') },
  { name: 'php-illuminate-console', only: ['test'], present: () => hasPhpClasses('Illuminate/Console') },
  {
    name: 'php-illuminate-notifications',
    only: ['test'],
    present: () => hasPhpClasses('Illuminate/Notifications'),
  },
  { name: 'php-illuminate-routing', only: ['test'], present: () => hasPhpClasses('Illuminate/Routing') },
  { name: 'php-illuminate-view', only: ['test'], present: () => hasPhpClasses('Illuminate/View') },
  { name: 'php-vlucas-phpdotenv', only: ['test'], present: () => hasPhpClasses('Dotenv') },
  // A Symfony application.
  {
    name: 'php-symfony-framework-bundle',
    only: ['test'],
    present: () => hasPhpClasses('Symfony/Bundle/FrameworkBundle'),
  },
  {
    name: 'php-symfony-security-bundle',
    only: ['test'],
    present: () => hasPhpClasses('Symfony/Bundle/SecurityBundle'),
  },
  {
    name: 'php-symfony-twig-bundle',
    only: ['test'],
    present: () => hasPhpClasses('Symfony/Bundle/TwigBundle'),
  },
  // The template engines and formats of the examples in docs/sites.
  {
    name: 'php-symfony-yaml',
    only: ['test'],
    present: () => hasPhpClasses('Symfony/Component/Yaml'),
  },
  { name: 'smarty4', only: ['test'], present: () => hasPhpClasses('smarty4') },
  // Symfony's own classes, with entities as users.
  { name: 'php-doctrine-orm', only: ['soak'], present: () => hasPhpClasses('Doctrine/ORM') },
  {
    name: 'php-symfony-http-foundation',
    only: ['soak'],
    present: () => hasPhpClasses('Symfony/Component/HttpFoundation'),
  },
  {
    name: 'php-symfony-security-core',
    only: ['soak'],
    present: () => hasPhpClasses('Symfony/Component/Security/Core'),
  },
  { name: 'redis-server', only: ['test', 'cluster'], present: () => onPath('redis-server') },
  {
    name: 'mariadb-server',
    only: ['test'],
    present: () => onPath('mariadbd') || existsSync('/usr/sbin/mariadbd'),
  },
  { name: 'postgresql', only: ['test', 'cluster'], present: () => existsSync('/usr/lib/postgresql') },
  {
    name: 'nginx-light',
    only: ['test', 'cluster'],
    present: () => onPath('nginx') || existsSync('/usr/sbin/nginx'),
  },
  {
    name: 'nutcracker',
    only: ['test'],
    present: () => onPath('nutcracker') || existsSync('/usr/sbin/nutcracker'),
  },
  {
    name: 'sasl2-bin',
    only: ['test'],
    present: () => onPath('saslpasswd2') || existsSync('/usr/sbin/saslpasswd2'),
  },
  // The mechanism PLAIN of memcached's logins.
  { name: 'libsasl2-modules', only: ['test'], present: () => hasFile('sasl2/libplain.so.2') },
  { name: 'haproxy', only: ['test'], present: () => onPath('haproxy') || existsSync('/usr/sbin/haproxy') },
  { name: 'dokuwiki', only: ['test'], present: () => existsSync('/usr/share/dokuwiki/doku.php') },
  { name: 'wordpress', only: ['test'], present: () => existsSync('/usr/share/wordpress/wp-load.php') },
  { name: 'libfaketime', only: ['test'], present: () => hasFile('faketime/libfaketime.so.1') },
  { name: 'default-jdk-headless', only: ['test'], present: () => onPath('javac') },
  { name: 'maven', only: ['test'], present: () => onPath('mvn') },
  {
    name: 'chromium-headless-shell',
    only: ['test'],
    present: () => existsSync('/usr/bin/chromium-headless-shell'),
  },
  { name: 'firefox-esr', only: ['soak'], present: () => onPath('firefox-esr') },
  // WebKit needs a screen.
  { name: 'webkit2gtk-driver', only: ['soak'], present: () => onPath('WebKitWebDriver') },
  { name: 'xvfb', only: ['soak'], present: () => onPath('Xvfb') },
  // Tests display Chinese and emoji.
  { name: 'fonts-wqy-microhei', only: ['test'], present: () => hasFont('wqy/wqy-microhei.ttc') },
  { name: 'fonts-noto-color-emoji', only: ['test'], present: () => hasFont('noto/NotoColorEmoji.ttf') },
  // The tests build and run the images as root, on a base image from debootstrap.
  { name: 'podman', only: ['soak'], present: () => onPath('podman') },
  { name: 'runc', only: ['soak'], present: () => onPath('runc') || existsSync('/usr/sbin/runc') },
  { name: 'netavark', only: ['soak'], present: () => existsSync('/usr/lib/podman/netavark') },
  { name: 'aardvark-dns', only: ['soak'], present: () => existsSync('/usr/lib/podman/aardvark-dns') },
  { name: 'iptables', only: ['soak'], present: () => onPath('iptables') || existsSync('/usr/sbin/iptables') },
  {
    name: 'debootstrap',
    only: ['soak'],
    present: () => onPath('debootstrap') || existsSync('/usr/sbin/debootstrap'),
  },
  // Runs the unit of the Debian package.
  { name: 'systemd', only: ['soak'], present: () => existsSync('/lib/systemd/systemd') },
  // The programs that build the Android app.
  { name: 'aapt', only: ['soak'], present: () => onPath('aapt') && onPath('aapt2') },
  { name: 'apksigner', only: ['soak'], present: () => onPath('apksigner') },
  // Real mails arrive through them.
  { name: 'postfix', only: ['soak'], present: () => existsSync('/usr/lib/postfix/sbin/master') },
  { name: 'dovecot-imapd', only: ['soak'], present: () => existsSync('/usr/lib/dovecot/imap') },
  { name: 'dovecot-lmtpd', only: ['soak'], present: () => existsSync('/usr/lib/dovecot/lmtp') },
  // Provides promtool, which evaluates the alerts.
  { name: 'prometheus', only: ['soak'], present: () => onPath('promtool') },
];

/**
 * Installs all missing requirements.
 * @param {Command} command
 */
export async function prepare(command) {
  const { complete } = await prepareNpm(command);
  await complete;
}

/**
 * Installs the npm packages, in parallel with the Debian packages. First checks whether Debian packages can be
 * installed, so that users who must install them manually see the message before npm runs for a minute.
 * @param {Command} command
 * @returns {Promise<{ complete: Promise<void> }>} `complete` resolves when the Debian packages are installed
 */
export async function prepareNpm(command) {
  const missing = missingFor(command);
  if (missing.length > 0) {
    if (!onPath('apt-get') || process.getuid?.() !== 0) throw notInstalled(missing, command);
    console.log(`installing Debian packages, which may take minutes: ${missing.join(' ')}`);
  }
  // Node 26 does not start without it.
  const first = missing.filter((name) => name === 'libatomic1');
  if (first.length > 0) await installDebianPackages(first);
  const others = missing.filter((name) => !first.includes(name));
  const complete = others.length === 0 ? Promise.resolve() : installOthers(others, command);
  // The caller awaits it and handles the failure.
  complete.catch(() => {});
  await installNpmPackages();
  return { complete };
}

/** @param {string[]} names @param {Command} command */
async function installOthers(names, command) {
  await installDebianPackages(names);
  const still = missingFor(command);
  if (still.length > 0) throw notUsable(still);
}

/** @param {Command} command */
function missingFor(command) {
  phpModules = undefined;
  /** @type {Command[]} */
  const commands = command === 'soak' ? ['test', 'soak'] : [command];
  return needs
    .filter(({ only = commands, present }) => only.some((each) => commands.includes(each)) && !present())
    .map(({ name }) => name);
}

/** @param {string[]} missing @param {Command} command */
function notInstalled(missing, command) {
  const how = onPath('apt-get')
    ? 'Install them, and run the command again:'
    : 'This system has no apt-get. Install the corresponding packages. On Debian:';
  return new Problem(
    `npm ${typed[command]} needs these Debian packages: ${missing.join(', ')}.\n${how}\n\n${installLine(missing)}\n`,
    UNAVAILABLE,
  );
}

/** @param {string[]} names */
function notUsable(names) {
  return new Problem(
    `Installed, but their content was not found: ${names.join(', ')}.\n` +
      'Check whether another php is first in PATH, or an extension is disabled: command -v php; php -m',
    UNAVAILABLE,
  );
}

/** @type {Set<string> | undefined} */
let phpModules;

/** @param {string[]} modules */
function phpHas(...modules) {
  phpModules ??= new Set(
    (spawnSync('php', ['-m'], { encoding: 'utf8' }).stdout ?? '').toLowerCase().split('\n'),
  );
  return modules.every((module) => phpModules.has(module));
}

/** @param {string} program */
function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param {string} folder */
const hasPhpClasses = (folder) => existsSync(join('/usr/share/php', folder));

/** @param {string} name */
const hasLibrary = (name) =>
  // An absolute path, because only root has /sbin in PATH.
  (spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }).stdout ?? '').includes(`${name} `);

/** @param {string} path */
const hasFont = (path) => existsSync(join('/usr/share/fonts/truetype', path));

/** Whether a folder of an architecture in /usr/lib has this file. @param {string} path */
function hasFile(path) {
  return readdirSync('/usr/lib').some((arch) => existsSync(join('/usr/lib', arch, path)));
}
