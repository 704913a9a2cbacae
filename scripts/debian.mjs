import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Problem, UNAVAILABLE } from './command.mjs';
import { run } from './processes.mjs';
import { runQuietly } from './quiet.mjs';

const install = ['install', '-y', '--no-install-recommends'];
const policyPath = '/usr/sbin/policy-rc.d';
const policyMark =
  '# From php-session-chat, while it installs packages: no service shall start because of it.';

/**
 * What a person who may use sudo runs in our place.
 * @param {string[]} names
 */
export const installLine = (names) =>
  `sudo apt-get update && sudo apt-get ${install.join(' ')} ${names.join(' ')}`;

/**
 * What Debian starts because a package was installed.
 * @type {Record<string, string>}
 */
const serviceOf = {
  memcached: 'memcached.service',
  'redis-server': 'redis-server.service',
  'mariadb-server': 'mariadb.service',
  postgresql: 'postgresql.service',
  'nginx-light': 'nginx.service',
  haproxy: 'haproxy.service',
};

/**
 * Installs as root, and leaves no service running: the memcached package would start its own.
 * @param {string[]} names
 */
export async function installDebianPackages(names) {
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  // Another apt (unattended upgrades) may be at work: wait for it.
  const apt = ['-o', 'DPkg::Lock::Timeout=300'];
  const allowServices = forbidServices();
  let update;
  let result;
  try {
    // Repairs what an interrupted earlier run may have left half done; does nothing otherwise.
    await runQuietly('dpkg', ['--configure', '-a'], options);
    // Its failure is not the end: a broken third-party list is no reason not to try.
    update = await runQuietly('apt-get', [...apt, 'update'], options);
    result = await runQuietly('apt-get', [...apt, ...install, ...names], options);
  } finally {
    allowServices();
  }
  if (!result.ok) {
    const output = `${update.ok ? '' : update.output}${result.output}`;
    throw new Problem(`apt-get could not install ${names.join(' ')}:\n\n${output}`, UNAVAILABLE);
  }
  // Nor shall they start with the machine.
  const services = names.map((name) => serviceOf[name]).filter((service) => service !== undefined);
  if (services.length > 0 && existsSync('/run/systemd/system')) {
    await run('systemctl', ['disable', ...services], { stdio: 'ignore' });
  }
}

/**
 * Debian asks policy-rc.d before it starts a service. Where the machine has one of its own, that one
 * decides. Ours says no to all (Chromium's packages bring a D-Bus, too), and should we be killed before we
 * remove it, it goes by itself the next time it is asked.
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
  // Interrupted, we may be gone before the code that waits for apt-get goes on.
  process.once('exit', remove);
  return remove;
}

const policyIsOurs = () => readFileSync(policyPath, 'utf8').includes(policyMark);
