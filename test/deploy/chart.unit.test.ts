import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig, settingNames } from '../../server/settings/config.ts';
import { parseSettings } from '../../server/settings/file.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const folder = 'deploy/helm/templates';
const templates = new Map(
  readdirSync(new URL(`../../${folder}`, import.meta.url)).map((name) => [name, read(`${folder}/${name}`)]),
);
const deployment = templates.get('deployment.yaml') as string;

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | { not: { pattern: string } };
  propertyNames?: { pattern: string; not: { enum: string[] } };
}
const values = parse(read('deploy/helm/values.yaml')) as Record<string, unknown>;
const schema = JSON.parse(read('deploy/helm/values.schema.json')) as Schema;

/** The paths of all values. A map without a schema for its keys counts as one value. */
function pathsOf(value: unknown, { properties }: Schema, path = ''): string[] {
  if (properties === undefined) return [path];
  return Object.entries(value as Record<string, unknown>).flatMap(([name, inner]) =>
    pathsOf(inner, properties[name] ?? {}, `${path}.${name}`),
  );
}
function pathsIn({ properties }: Schema, path = ''): string[] {
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([name, inner]) => pathsIn(inner, `${path}.${name}`));
}

test('templates, values and schema of the chart agree', () => {
  const used = [...templates.values()].flatMap((text) =>
    [...text.matchAll(/\.Values((?:\.\w+)+)/g)].map(([, path = '']) => path),
  );
  const paths = pathsOf(values, schema).sort();
  expect([...new Set(used)].sort()).toEqual(paths);
  // Helm gives charts `global`.
  expect(pathsIn(schema).filter((path) => path !== '.global')).toEqual(expect.arrayContaining(paths));
  expect(pathsIn(schema)).toHaveLength(paths.length + 1);
});

test('the chart uses existing settings, and a grace period longer than CHAT_DRAIN', () => {
  const named = [...deployment.matchAll(/name: (CHAT_\w+)/g)].map(([, name]) => name);
  expect(named).toContain('CHAT_DRAIN');
  expect(named.filter((name) => !settingNames.includes(name as string))).toEqual([]);
  const [, more] =
    /terminationGracePeriodSeconds: \{\{ add \.Values\.drainSeconds (\d+) \}\}/.exec(deployment) ?? [];
  // After CHAT_DRAIN a server ends within 2 s.
  expect(Number(more)).toBeGreaterThan(2);
  const routes = read('server/http/routes.ts');
  const probes = [...deployment.matchAll(/(\w+)Probe:\n +httpGet: \{ path: (\S+), port: http \}/g)];
  expect(probes.map(([, kind, path]) => [kind, path])).toEqual([
    ['startup', '/healthz'],
    ['liveness', '/healthz'],
    ['readiness', '/readyz'],
  ]);
  for (const [, , path] of probes) expect(routes).toContain(`'${path}':`);
});

test('a single server without CHAT_CLUSTER stops before its replacement starts', () => {
  const [, several, single] =
    /\{\{- if or (.*) \}\}[^{]*rollingUpdate: \{ maxSurge: 1, maxUnavailable: 0 \}\n +\{\{- else \}\}\n +#.*\n +strategy: (.*)\n +\{\{- end/.exec(
      deployment,
    ) ?? [];
  expect(several).toMatch(/^\(gt \(int \.Values\.replicas\) 1\) .*"CHAT_CLUSTER"\).*"CHAT_CLUSTER_FILE"\)$/);
  expect(single).toBe('{ type: Recreate }');
});

test('the chart runs the server as the user of the image, without privileges', () => {
  const user = [...read('Dockerfile').matchAll(/^USER (\d+)$/gm)].at(-1)?.[1];
  expect(deployment).toContain(`runAsUser: ${user}\n`);
  for (const line of [
    'runAsNonRoot: true',
    'readOnlyRootFilesystem: true',
    'allowPrivilegeEscalation: false',
    'capabilities: { drop: [ALL] }',
    'seccompProfile: { type: RuntimeDefault }',
    'automountServiceAccountToken: false',
  ]) {
    expect(deployment).toContain(line);
  }
});

test('the values of the chart cannot hold secrets', () => {
  const { propertyNames, additionalProperties } = schema.properties?.settings ?? {};
  const { not } = additionalProperties as { not: { pattern: string } };
  expect(propertyNames?.not.enum).toContain('CHAT_API_KEY');
  for (const url of ['postgres://chat:secret@db/chat', 'redis://:secret@redis', 's3://KEY:SECRET@bucket']) {
    expect(url).toMatch(new RegExp(not.pattern));
  }
  for (const value of ['redis://redis:6379', 'https://www.example.org/a@b', 'Garden <chat@garden.example>']) {
    expect(value).not.toMatch(new RegExp(not.pattern));
  }
  // The chart does not create a Secret, so a release does not contain one.
  expect([...templates.values()].join('\n')).not.toMatch(/^kind: Secret$/m);
});

test('docs/operate/kubernetes.md shows a valid Secret and valid settings for Kubernetes', () => {
  const section = read('docs/operate/kubernetes.md');
  const [, secret = ''] = /<<'END'\n([\s\S]*?)END\n/.exec(section) ?? [];
  const env = Object.fromEntries(
    [...parseSettings(secret, 'settings')].map(([name, { value }]) => [name, value]),
  );
  const settings = [...section.matchAll(/--set settings\.(\w+)=(\S+)/g)].map(([, name, value]) => [
    name,
    value,
  ]);
  expect(settings.length).toBeGreaterThan(2);
  const { CHAT_API_KEY_FILE: keyFile, ...others } = Object.fromEntries(settings) as Record<string, string>;
  expect(keyFile).toBe(`${/mountPath: (\/etc\S+),/.exec(deployment)?.[1]}/api-key`);
  expect(readConfig({ ...env, ...others }).unknown).toEqual([]);
});

test('the Ingress is off by default, and the examples in docs/operate/kubernetes.md use sticky sessions', () => {
  expect(values.ingress).toMatchObject({ enabled: false });
  expect(templates.get('ingress.yaml')).toMatch(/^\{\{- if \.Values\.ingress\.enabled \}\}\n/);
  // Both refer to the port of the service by its name.
  for (const name of ['ingress.yaml', 'service.yaml']) expect(templates.get(name)).toMatch(/name: http\b/);
  const [, section = ''] = /\n## An Ingress\n([\s\S]*?)\n## /.exec(read('docs/operate/kubernetes.md')) ?? [];
  const examples = [...section.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => parse(text));
  expect(examples).toHaveLength(2);
  for (const { ingress, service } of examples) {
    expect(Object.keys(ingress).filter((name) => !(name in (values.ingress as object)))).toEqual([]);
    const texts = Object.entries({ ...ingress.annotations, ...service?.annotations });
    expect(texts.filter(([, text]) => typeof text !== 'string')).toEqual([]);
    expect(texts.map(([, text]) => text).join(' ')).toMatch(/cookie_PHPSESSID|chat_server/);
  }
});
