import type { Context } from '../context.ts';
import { Row, Section, Switch } from '../controls/rows.tsx';
import { samePage } from '../rooms/ask-card.tsx';

/** Whether others on the same page see this user. */
export function SamePage({ context }: { readonly context: Context }) {
  const { strings } = context;
  const choice = samePage(context);
  if (choice === undefined) return null;
  const { on, turn } = choice;
  const title = strings.text('prefs.samePage');
  return (
    <Section picture="eye" title={title}>
      <ul class="sets box">
        <Row title={strings.text('prefs.samePage.show')} hint={strings.text('prefs.samePage.hint')}>
          <Switch label={strings.text('prefs.samePage.show')} on={on === true} turn={turn} />
        </Row>
      </ul>
    </Section>
  );
}
