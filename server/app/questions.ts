import { warning } from 'php-sessions/doctor';
import type { Chat } from '../chat/chat.ts';
import type { Telemetry } from './telemetry.ts';

/** Adds the metrics of questions, and a warning while no member of the team can be notified. */
export function reportQuestions(
  { team }: Chat,
  { health, metrics }: Pick<Telemetry, 'health' | 'metrics'>,
): void {
  if (team.isOn)
    health.add({
      works: async () => (await team.members()).length > 0,
      describe: (works) =>
        works
          ? undefined
          : warning(
              'No user of the team (CHAT_TEAM) has opened the chat, so nobody is notified of questions.',
              'Let each of them open it once. If one did, correct the IDs or the names of the roles.',
            ),
    });
  metrics.addGauge({
    name: 'chat_questions',
    help: 'Questions to the team of the last 30 days, on all servers',
    labelNames: ['is'],
    async collect() {
      const { asked, answered } = (await team.statistics().catch(() => undefined)) ?? {};
      if (asked !== undefined) this.set({ is: 'asked' }, asked);
      if (answered !== undefined) this.set({ is: 'answered' }, answered);
    },
  });
  metrics.addGauge({
    name: 'chat_question_answer_seconds',
    help: 'Median time to the first answer of the questions of the last 30 days',
    labelNames: ['quantile'],
    async collect() {
      this.reset();
      const ms = await team.answeredInMs().catch(() => undefined);
      if (ms !== undefined) this.set({ quantile: '0.5' }, ms / 1000);
    },
  });
}
