import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export interface Alert {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string };
}

/** Our alerting rules for Prometheus. */
export const alertsFile = fileURLToPath(new URL('../../deploy/prometheus/alerts.yml', import.meta.url));

export function alerts(): Alert[] {
  const { groups } = parse(readFileSync(alertsFile, 'utf8')) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}
