import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Adds to `ids` all descendants of its processes and all members of the groups that they lead. Returns the processes
 * that are still running. If the caller reuses `ids`, it also finds the children of processes that have ended since.
 * @param {Set<number>} ids
 */
export function livingFamily(ids) {
  const rows = processTable();
  for (let before = -1; before !== ids.size; ) {
    before = ids.size;
    for (const row of rows) if (ids.has(row.parent) || ids.has(row.group)) ids.add(row.pid);
  }
  // A zombie has ended. In a container whose process 1 does not reap zombies, it would stay in the table forever.
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
      // The second field is the command in parentheses, which may contain spaces and parentheses.
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
