/** The tests are type-checked and use these functions. */
interface Step {
  name: string;
  command: string;
  makes?: string[];
}
export function passedBefore(step: Step, file: string | undefined): number | undefined;
export function notePassed(step: Step, file: string | undefined, tests: number): void;
