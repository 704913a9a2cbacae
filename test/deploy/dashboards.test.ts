import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { alerts } from '../helpers/alerts.ts';
import { upload } from '../helpers/files.ts';
import { answerable } from '../helpers/mail-answers.ts';
import { type PeopleSite, say, startPeopleSite } from '../helpers/people.ts';
import { metrics } from '../helpers/server-figures.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const monitor = read('docs/operate/monitor.md');

interface Panel {
  id: number;
  type: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: { uid: string };
  targets?: { expr: string; datasource: { uid: string } }[];
}
const { panels, templating } = JSON.parse(read('deploy/grafana/dashboard.json')) as {
  panels: Panel[];
  templating: { list: { name: string; definition?: string }[] };
};

interface Sample {
  name: string;
  labels: Record<string, string>;
}
let samples: Sample[];
let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ ...answerable, CHAT_MAIL: 'smtp://127.0.0.1:1', CHAT_TEAM: 'ida' });
  const ida = await site.person({}, 'ida');
  // The median needs five answers.
  for (let n = 0; n < 5; n++) {
    const question = { user: { id: `asker-${n}`, name: 'Asker' }, text: 'Where is it?', clientId: 'asked' };
    const { room } = ((await site.api('POST', '/questions', question)).body as { room: { room: string } })
      .room;
    await ida.request('question:open', { question: room });
    await ida.request('room:join', { room });
    await say(ida, room);
  }
  const ann = await site.person();
  await ann.request('room:join', { room: 'lobby' });
  await say(ann, 'lobby');
  await upload(site.chat.url, ann.cookie, 'words');
  await site.api('DELETE', `/users/${ann.id}/connections`);
  await ann.ended;
  const flood = connect(site.chat.port, '127.0.0.1');
  flood.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(9));
  await once(flood.resume(), 'close');
  samples = [...(await metrics(site.chat.url)).keys()].map((key) => {
    const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(key) ?? [];
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value]);
    return { name, labels: Object.fromEntries(pairs) };
  });
});
afterAll(() => site.close());

/** Labels that Prometheus adds. */
const own = new Set(['job', 'instance']);
const words = new Set(['by', 'or', 'and', 'unless', 'on']);

interface Selected {
  name: string;
  /** `label`, `=~`, `value`. */
  matchers: [string, string, string][];
}

/** The metrics that an expression selects, and the labels it groups by. */
function partsOf(expr: string): { selected: Selected[]; by: string[] } {
  const by: string[] = [];
  const plain = expr.replace(/\bby \(([^)]*)\)/g, (_, list: string) => {
    by.push(...list.split(/, */));
    return '';
  });
  const selected: Selected[] = [];
  for (const [, name = '', inner = ''] of plain.matchAll(
    /(?<![\w"$])([a-z]\w*)\b(?!\w*\s*\()(?:\{([^}]*)\})?/g,
  )) {
    if (words.has(name) || /^\d/.test(name)) continue;
    const matchers = [...inner.matchAll(/(\w+)(=~|!=|=)"([^"]*)"/g)].map(
      ([, label, operator, value]) => [label, operator, value] as [string, string, string],
    );
    selected.push({ name, matchers: matchers.filter(([label]) => !own.has(label)) });
  }
  return { selected, by: by.filter((label) => !own.has(label)) };
}
/** Removes the time ranges in square brackets, which look like names. */
const withoutTimes = (expr: string) => expr.replace(/\[[^\]]*\]/g, '');

const fits = (sample: Sample, { name, matchers }: Selected) =>
  sample.name === name &&
  matchers.every(([label, operator, value]) => {
    const is = sample.labels[label];
    if (is === undefined) return false;
    return operator === '!=' ? is !== value : new RegExp(`^(${value})$`).test(is);
  });

const expressions = () => panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

test('a server reports each metric and label value in the alerts', () => {
  expect(alerts().length).toBeGreaterThan(10);
  for (const { alert, expr } of alerts()) {
    const { selected, by } = partsOf(withoutTimes(expr));
    expect(selected.length, alert).toBeGreaterThan(0);
    for (const one of selected.filter(({ name }) => name !== 'up')) {
      const alternatives = one.matchers.flatMap(([label, operator, value]) =>
        operator === '=~'
          ? value.split('|').map((each) => [label, '=', each] as [string, string, string])
          : [],
      );
      for (const matchers of alternatives.length > 0 ? alternatives.map((each) => [each]) : [one.matchers]) {
        const found = samples.filter((sample) => fits(sample, { ...one, matchers }));
        expect(found, `${alert}: ${JSON.stringify({ ...one, matchers })}`).not.toEqual([]);
        for (const { labels } of found) expect(Object.keys(labels)).toEqual(expect.arrayContaining(by));
      }
    }
  }
});

test('the dashboard shows each `chat_` metric, and only metrics that a server reports', () => {
  expect(expressions().length).toBeGreaterThan(15);
  for (const expr of [...expressions(), ...templating.list.flatMap(({ definition }) => definition ?? [])]) {
    const { selected, by } = partsOf(withoutTimes(expr).replace(/^label_values\((.*), \w+\)$/, '$1'));
    expect(selected.length, expr).toBeGreaterThan(0);
    for (const { name, matchers } of selected) {
      const found = samples.filter((sample) => sample.name === name);
      expect(found, `${name} in ${expr}`).not.toEqual([]);
      const needed = [...by, ...matchers.map(([label]) => label)];
      expect(Object.keys(found[0]?.labels ?? {}), expr).toEqual(expect.arrayContaining(needed));
    }
  }
  const shown = expressions().join('\n');
  const ours = [...monitor.matchAll(/^- `(chat_\w+)`:/gm)].map(([, name = '']) => name);
  expect(ours.length).toBeGreaterThan(10);
  expect(ours.filter((name) => !shown.includes(name))).toEqual([]);
});

test('docs/operate/monitor.md explains exactly the existing alerts', () => {
  const items = monitor.match(/^- `Chat\w+`.*$/gm) ?? [];
  const explained = items.flatMap((item) => item.match(/(?<=`)Chat\w+(?=`)/g) ?? []);
  expect(explained.sort()).toEqual(
    alerts()
      .map(({ alert }) => alert)
      .sort(),
  );
});
