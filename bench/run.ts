/** `npm run bench [NAME [ARGUMENTS]]`: runs one benchmark, or all of them, and stores the output in RESULTS.md. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

const folder = new URL('./', import.meta.url);
const results = new URL('RESULTS.md', folder);
/** The packages whose versions are stored with the results. */
const packages = ['socket.io', 'engine.io', 'ws', 'memjs'];

/** Returns the files of the benchmarks by name. Their first comment contains their command. */
function questions(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.ts')) continue;
    const name = file.slice(0, -'.ts'.length);
    const [comment = ''] = readFileSync(new URL(file, folder), 'utf8').split('*/');
    if (comment.includes(`npm run bench ${name}`)) found.set(name, file);
  }
  return found;
}

function machine(): string {
  const versions = packages.map((name) => {
    const { version } = JSON.parse(
      readFileSync(new URL(`../node_modules/${name}/package.json`, folder), 'utf8'),
    ) as { version: string };
    return `${name} ${version}`;
  });
  const [load = 0] = loadavg();
  return [
    new Date().toISOString().slice(0, 10),
    `${cpus().length} × ${cpus()[0]?.model.trim()}`,
    `load before it ${load.toFixed(1)}`,
    `Node ${process.versions.node}`,
    ...versions,
  ].join(', ');
}

/** @returns the output, or null if the benchmark failed */
async function run(file: string, args: readonly string[]): Promise<string | null> {
  const child = spawn(process.execPath, [new URL(file, folder).pathname, ...args], {
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    process.stdout.write(piece);
    text += piece;
  });
  const [code] = await once(child, 'close');
  return code === 0 ? text : null;
}

/** Replaces the section of a benchmark in RESULTS.md. */
function store(name: string, text: string): void {
  const [head = '', ...sections] = readFileSync(results, 'utf8').split(/^(?=## )/m);
  const others = sections.filter((section) => !section.startsWith(`## ${name}\n`));
  const all = [...others, `## ${name}\n\n${text}`].sort();
  writeFileSync(results, [head, ...all].map((section) => `${section.trim()}\n`).join('\n'));
}

const [wanted, ...args] = process.argv.slice(2);
const known = questions();
if (wanted !== undefined && !known.has(wanted)) {
  console.error(`There is no benchmark ${wanted}. There are: ${[...known.keys()].join(', ')}.`);
  process.exit(64);
}
for (const [name, file] of known) {
  if (wanted !== undefined && wanted !== name) continue;
  const setting = machine();
  console.log(`## ${name}\n${setting}`);
  const output = await run(file, args);
  if (output === null) process.exitCode = 1;
  else
    store(name, `${setting}\n\n${output.startsWith('| ') ? output : `\`\`\`text\n${output.trim()}\n\`\`\``}`);
}
