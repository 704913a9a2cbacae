import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { alerts, alertsFile } from '../helpers/alerts.ts';

/**
 * Samples every 15 s by the name of their series: eight with the old value, then twenty minutes with the new
 * one.
 */
type Series = Record<string, string>;

const [before, since] = [8, 80];
const then = (was: string | number, is: string | number) => `${was}x${before - 1} ${is}x${since}`;
/** A counter that starts to rise after the old samples. */
const rises = then(0, '1+1');

/** Labels that Prometheus adds. */
const own = 'job="php-session-chat", instance="chat:7070"';
const labelled = (name: string) => (name.includes('{') ? name.replace('{', `{${own}, `) : `${name}{${own}}`);

/** Checks with promtool which alerts fire at the end of each series. */
function expectAlerts(cases: readonly (readonly [what: string, Series, alerts: readonly string[]])[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'chat-alerts-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'test.yml');
  const tests = cases.map(([name, series, fired]) => ({
    ...{ name, interval: '15s' },
    input_series: Object.entries({ up: then(1, 1), ...series }).map(([name, values]) => ({
      series: labelled(name),
      values,
    })),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${(before + since) / 4}m`,
        exp_samples: fired.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
      },
    ],
  }));
  writeFileSync(file, stringify({ rule_files: [alertsFile], evaluation_interval: '15s', tests }));
  execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
}

const missing = (part: string) => ({ [`chat_missing{part="${part}"}`]: then(0, 1) });
const refused = (code: string) => ({ [`chat_refusals_total{code="${code}"}`]: rises });
const requests = (code: string) => ({ [`chat_requests_total{event="message:send",code="${code}"}`]: rises });
const mails = (outcome: string) => ({ [`chat_mails_total{outcome="${outcome}"}`]: rises });
const webhooks = (outcome: string, type = 'message.created') => ({
  [`chat_webhooks_total{outcome="${outcome}",type="${type}"}`]: rises,
});
/** Of 100 messages every 15 s, `within` are stored within 100 ms. */
const commits = (within: number) => ({
  'chat_commit_seconds_bucket{le="0.1"}': then(0, `${within}+${within}`),
  'chat_commit_seconds_bucket{le="1"}': then(0, '100+100'),
  'chat_commit_seconds_bucket{le="+Inf"}': then(0, '100+100'),
});

const cases: [what: string, Series, alerts: string[]][] = [
  ['the server is idle', missingNothing(), []],
  ['the server does not respond', { up: then(1, 0) }, ['ChatDown']],
  ['Prometheus does not scrape the server', { up: `_x${before + since}` }, ['ChatUnknown']],
  ['the server crashes repeatedly', { process_start_time_seconds: '1x68 2x5 3x5 4x7' }, ['ChatRestarts']],
  ['the server restarted twice', { process_start_time_seconds: '1x68 2x10 3x8' }, []],
  ['the session store does not respond', missing('session store'), ['ChatSessionStoreSilent']],
  [
    'connections are rejected because of the store',
    refused('session_store_unavailable'),
    ['ChatSessionStoreSilent'],
  ],
  ['sessions cannot be read', refused('session_invalid'), ['ChatSessionsInvalid']],
  ['connections are not logged in', refused('unauthorized'), []],
  ['pages may not connect', refused('origin_not_allowed'), ['ChatOriginNotAllowed']],
  [
    'many connections exceed a limit',
    { 'chat_refusals_total{code="rate_limited"}': then(0, '10+10') },
    ['ChatRateLimited'],
  ],
  ['some connections exceed a limit', refused('rate_limited'), []],
  ['the history does not respond', missing('history'), ['ChatHistoryFails']],
  ['the disk is full', missing('disk space'), ['ChatHistoryFails']],
  ['messages find the disk full', requests('storage_full'), ['ChatHistoryFails']],
  ['requests are rejected', requests('forbidden'), []],
  ['the database is slow', commits(80), ['ChatHistorySlow']],
  ['the database is fast', commits(95), []],
  ['the bus is down', missing('bus'), ['ChatBusDown']],
  ['the site differs between servers', { chat_site_differs: then(0, 1) }, ['ChatSiteDiffers']],
  ['the site cannot be read', { chat_site_unreadable: then(0, 1) }, ['ChatSiteUnreadable']],
  ['files are not stored', { 'chat_uploads_total{code="storage_full"}': rises }, ['ChatFilesFail']],
  ['requests fail', requests('internal'), ['ChatRequestsFail']],
  ['every mail fails', mails('failed'), ['ChatMailsWait']],
  ['some mails are sent', { ...mails('failed'), ...mails('sent') }, []],
  ['the mail server rejects mails', mails('refused'), ['ChatMailsGivenUp']],
  ['push services reject pushes', { 'chat_pushes_total{outcome="refused"}': rises }, ['ChatPushesGivenUp']],
  ['every event to the site fails', webhooks('failed'), ['ChatWebhooksWait']],
  ['every user event to the site fails', webhooks('failed', 'user.online'), []],
  ['some events to the site fail', { ...webhooks('failed'), ...webhooks('sent') }, []],
  ['events are discarded after retries', webhooks('gone'), ['ChatWebhooksGivenUp']],
  ['events are dropped', { chat_webhooks_dropped_total: rises }, ['ChatWebhooksGivenUp']],
  [
    'a consumer of the change log fails',
    { 'chat_changes_failed_total{consumer="audit"}': rises },
    ['ChatChangesFail'],
  ],
  [
    'a consumer fails together with the history',
    { 'chat_changes_failed_total{consumer="audit"}': rises, ...missing('history') },
    ['ChatHistoryFails'],
  ],
  [
    'a consumer skips changes',
    { 'chat_changes_skipped_total{consumer="audit"}': rises },
    ['ChatChangesSkipped'],
  ],
  ['the event loop is slow', { nodejs_eventloop_lag_p99_seconds: then(0.01, 0.3) }, ['ChatBusy']],
  [
    'too many open files',
    { process_open_fds: then(10, 90), process_max_fds: then(100, 100) },
    ['ChatOpenFiles'],
  ],
];

function missingNothing(): Series {
  const parts = ['session store', 'history', 'bus'].map((part) => `chat_missing{part="${part}"}`);
  return Object.fromEntries(parts.map((part) => [part, then(0, 0)]));
}

test('each alert fires alone and only for its cause', () => {
  expectAlerts(cases);
  const fired = new Set(cases.flatMap(([, , fired]) => fired));
  expect([...fired].sort()).toEqual(
    alerts()
      .map(({ alert }) => alert)
      .sort(),
  );
});
