import type { History } from '../../history/history.ts';
import { mostCounted } from '../../wire/counted.ts';
import type { Answers } from '../../wire/events.ts';
import { type Team, teamName } from './team.ts';

/** The members of the team that visitors see. */
const faces = 3;
/** The median needs this number of answers, of the last 30 days. */
const leastAnswers = 5;
const mostAnswers = 500;
const answersForMs = 30 * 24 * 60 * 60_000;
/** The median is computed again after this time, in ms. */
const medianForMs = 60_000;

/** Answers what a visitor can expect. */
export class Expectations {
  readonly #history: History;
  readonly #team: Team;
  readonly #text: string | undefined;
  #median: { at: number; ms: Promise<number | undefined> } | undefined;

  /** @param text what the operator says about it */
  constructor(history: History, team: Team, text: string | undefined) {
    this.#history = history;
    this.#team = team;
    this.#text = text;
  }

  /** Returns the answer for a visitor. */
  async get(): Promise<Answers['question:about']> {
    const members = await this.#team.members();
    return {
      // Their order does not depend on who is online, which visitors must not learn.
      team: members.slice(0, faces),
      answeredInMs: await this.#getMedian(),
      text: this.#text,
    };
  }

  /** Returns the numbers of the last 30 days. Undefined without a team. */
  async statistics(): Promise<Answers['moderate:overview']['questions']> {
    if (!this.#team.isOn) return undefined;
    const since = Date.now() - answersForMs;
    const counts = await this.#history.read.questionsSince({ team: teamName, since, most: mostCounted });
    return { ...counts, answeredInMs: await this.#getMedian() };
  }

  /** Returns the median time to the first answer, in ms. Undefined with few answers. */
  async #getMedian(): Promise<number | undefined> {
    if (this.#median === undefined || performance.now() - this.#median.at > medianForMs) {
      const ms = this.#readMedian();
      this.#median = { at: performance.now(), ms };
      ms.catch(() => {
        this.#median = undefined;
      });
    }
    return this.#median.ms;
  }

  async #readMedian(): Promise<number | undefined> {
    const since = Date.now() - answersForMs;
    const times = await this.#history.read.answerTimes({ team: teamName, since, limit: mostAnswers });
    if (times.length < leastAnswers) return undefined;
    return times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) / 2)];
  }
}
