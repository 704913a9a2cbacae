import { text } from '../../chat/form.ts';
import type { Context } from '../context.ts';
import { Row, Section, Switch } from '../controls/rows.tsx';

/** The ID of the user who agreed to be shown, for element/here.ts. Kept after a logout, because it is a choice. */
const KEY = 'here';

/** Whether others on the same page see this user. Offered where the site's launcher shows them. */
export function SamePage({ context }: { readonly context: Context }) {
  const { chat, strings, attribute, changed } = context;
  const me = chat.me?.id;
  const { direct, findPeople } = chat.can;
  if (attribute('here') === null || me === undefined || chat.isGuest || !direct || !findPeople) return null;
  const on = chat.settings.get(KEY, text) === me;
  const turn = () => {
    if (on) chat.settings.delete(KEY);
    else chat.settings.set(KEY, me);
    changed();
  };
  const title = strings.text('prefs.samePage');
  return (
    <Section picture="eye" title={title}>
      <ul class="sets box">
        <Row title={strings.text('prefs.samePage.show')} hint={strings.text('prefs.samePage.hint')}>
          <Switch label={strings.text('prefs.samePage.show')} on={on} turn={turn} />
        </Row>
      </ul>
    </Section>
  );
}
