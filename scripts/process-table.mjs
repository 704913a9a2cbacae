import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Adds to `ids` all descendants of its processes and all members of groups that they lead, and returns those that still
 * live. If `ids` is kept between calls, it includes the children of processes that have ended since.
 * @param {Set<number>} ids
 */
export function livingFamily(ids) {
  const rows = processTable();
  for (let before = -1; before !== ids.size; ) {
    before = ids.size;
    for (const row of rows) if (ids.has(row.parent) || ids.has(row.group)) ids.add(row.pid);
  }
  // A zombie has ended; if process 1 reaps nobody (in a container), it would stay in the table for ever.
  return rows.filter((row) => ids.has(row.pid) && !row.state.startsWith('Z')).map((row) => row.pid);
}

/** @returns {{ pid: number, parent: number, group: number, state: string }[]} */
function processTable() {
  let names;
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return tableFromPs();
  }
  return names.flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      // The second field is the command in brackets, which may contain spaces and brackets.
      const [state = '', parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ pid: Number(name), parent: Number(parent), group: Number(group), state }];
    } catch {
      return []; // ended between the two reads
    }
  });
}

/** For systems without /proc. A bare Debian has no `ps`. */
function tableFromPs() {
  const { stdout } = spawnSync('ps', ['-axo', 'pid=,ppid=,pgid=,stat='], { encoding: 'utf8' });
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent, group, state = '']) => ({
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      state,
    }));
}
