import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Problem, UNAVAILABLE } from './command.mjs';
import { run } from './processes.mjs';
import { runQuietly } from './quiet.mjs';

const install = ['install', '-y', '--no-install-recommends'];
const policyPath = '/usr/sbin/policy-rc.d';
const policyMark =
  '# From php-session-chat, while it installs packages: no service shall start because of it.';

/**
 * The command for a person who may use sudo.
 * @param {string[]} names
 */
export const installLine = (names) =>
  `sudo apt-get update && sudo apt-get ${install.join(' ')} ${names.join(' ')}`;

/**
 * The service that Debian starts when a package is installed.
 * @type {Record<string, string>}
 */
const serviceOf = {
  memcached: 'memcached.service',
  'redis-server': 'redis-server.service',
  'mariadb-server': 'mariadb.service',
  postgresql: 'postgresql.service',
  'nginx-light': 'nginx.service',
  haproxy: 'haproxy.service',
  nutcracker: 'nutcracker.service',
};

/**
 * Installs packages as root. It prevents their services from starting, such as that of memcached.
 * @param {string[]} names
 */
export async function installDebianPackages(names) {
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  // Waits for another apt, such as unattended upgrades.
  const apt = ['-o', 'DPkg::Lock::Timeout=300'];
  const allowServices = forbidServices();
  let update;
  let result;
  try {
    // Repairs a half-done earlier installation; otherwise does nothing.
    await runQuietly('dpkg', ['--configure', '-a'], options);
    // A failure is tolerated: a broken third-party list need not prevent the installation.
    update = await runQuietly('apt-get', [...apt, 'update'], options);
    result = await runQuietly('apt-get', [...apt, ...install, ...names], options);
  } finally {
    allowServices();
  }
  if (!result.ok) {
    const output = `${update.ok ? '' : update.output}${result.output}`;
    throw new Problem(`apt-get could not install ${names.join(' ')}:\n\n${output}`, UNAVAILABLE);
  }
  // The services must not start with the machine either.
  const services = names.map((name) => serviceOf[name]).filter((service) => service !== undefined);
  if (services.length > 0 && existsSync('/run/systemd/system')) {
    await run('systemctl', ['disable', ...services], { stdio: 'ignore' });
  }
}

/**
 * Debian asks policy-rc.d before it starts a service. If the machine already has one, that one decides. Ours refuses
 * all services (Chromium's packages bring D-Bus, too). If this process is killed before it removes the file, the file
 * removes itself when it is called the next time.
 */
function forbidServices() {
  if (existsSync(policyPath) && !policyIsOurs()) return () => {};
  const text = `#!/bin/sh
${policyMark}
[ -d /proc/${process.pid} ] && exit 101
rm -f "$0"
exit 0
`;
  writeFileSync(policyPath, text, { mode: 0o755 });
  const remove = () => {
    if (existsSync(policyPath) && policyIsOurs()) rmSync(policyPath);
  };
  // After an interruption, this process may end before the code that waits for apt-get continues.
  process.once('exit', remove);
  return remove;
}

const policyIsOurs = () => readFileSync(policyPath, 'utf8').includes(policyMark);
