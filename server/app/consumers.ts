import { audit } from '../changes/audit.ts';
import { runConsumers } from '../changes/consumer.ts';
import type { Chat } from '../chat/chat.ts';
import { erasing } from '../chat/personal-data/erasing.ts';
import type { Notifications } from './notifications.ts';
import type { Telemetry } from './telemetry.ts';

/** Starts the consumers of the change log. */
export function startConsumers(
  chat: Chat,
  notifications: Notifications,
  { metrics, log, quiet }: Telemetry,
): ReturnType<typeof runConsumers> {
  const consumers = [erasing(chat), audit, ...notifications.consumers];
  // Prometheus computes no increase for a series that starts with its first failure.
  for (const { name: consumer } of consumers) {
    metrics.skipped.inc({ consumer }, 0);
    metrics.failed.inc({ consumer }, 0);
  }
  return runConsumers(chat.history, consumers, {
    onFailure(consumer, { message: reason }) {
      metrics.failed.inc({ consumer });
      quiet.warn(`consumer ${consumer}`, { consumer, reason }, 'change-log consumer failed, retrying');
    },
    onSkipped(consumer, entries) {
      metrics.skipped.inc({ consumer }, entries);
      log.error({ consumer, entries }, 'change-log consumer fell behind, entries skipped');
    },
  });
}
