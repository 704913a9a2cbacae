<?php

declare(strict_types=1);

namespace PhpSessionChat\WordPress;

defined('ABSPATH') || exit;

/** The slug of the page, and the group of its settings. */
const PAGE = 'php-session-chat';
const TEST = 'php_session_chat_test';

add_action('admin_init', __NAMESPACE__ . '\add_fields');
add_action('admin_menu', static function (): void {
    $title = __('Chat', 'php-session-chat');
    add_options_page($title, $title, 'manage_options', PAGE, __NAMESPACE__ . '\print_page');
});
add_action('network_admin_menu', static function (): void {
    $title = __('Chat', 'php-session-chat');
    add_submenu_page('settings.php', $title, $title, 'manage_network_options', PAGE, __NAMESPACE__ . '\print_network_page');
});
add_action('network_admin_edit_' . SERVER, __NAMESPACE__ . '\save_network');
add_action('admin_enqueue_scripts', __NAMESPACE__ . '\load_script');
add_action('wp_ajax_' . TEST, __NAMESPACE__ . '\answer_test');
add_filter('plugin_action_links_' . plugin_basename(FILE), static fn (array $links): array =>
    [settings_link(admin_url('options-general.php?page=' . PAGE)), ...$links]);
add_filter('network_admin_plugin_action_links_' . plugin_basename(FILE), static fn (array $links): array =>
    [settings_link(network_admin_url('settings.php?page=' . PAGE)), ...$links]);

function settings_link(string $url): string
{
    return '<a href="' . esc_url($url) . '">' . esc_html__('Settings', 'php-session-chat') . '</a>';
}

function add_fields(): void
{
    register_setting(PAGE, OPTION, ['type' => 'array', 'sanitize_callback' => __NAMESPACE__ . '\clean']);
    if (!is_multisite()) {
        register_setting(PAGE, SERVER, ['sanitize_callback' => __NAMESPACE__ . '\clean_chosen_server']);
    }
    add_settings_section('main', '', '__return_empty_string', PAGE);
    $fields = [
        'server' => [__('Server address', 'php-session-chat'), 'print_server', true],
        'roles' => [__('Who sees the chat', 'php-session-chat'), 'print_roles', false],
        'launcher' => [__('Button', 'php-session-chat'), 'print_launcher_field', false],
        'side' => [__('Side of the button', 'php-session-chat'), 'print_side', true],
        'accent' => [__('Accent colour', 'php-session-chat'), 'print_accent', true],
    ];
    add_section_fields('main', $fields);
    add_settings_section('questions', __('Questions', 'php-session-chat'), __NAMESPACE__ . '\print_questions_help', PAGE);
    $fields = ['ask' => [__('Button', 'php-session-chat'), 'print_ask', false]];
    // A network of sites has a single chat, with a single team.
    if (is_main_site()) {
        $fields['team'] = [__('Team', 'php-session-chat'), 'print_team', false];
        $fields['hours'] = [__('Office hours', 'php-session-chat'), 'print_hours', true];
        $fields['lines'] = [__('Settings of the chat server', 'php-session-chat'), 'print_team_lines', false];
    }
    add_section_fields('questions', $fields);
}

/** @param array<string, array{string, string, bool}> $fields by name: title, function, and whether the title is a label */
function add_section_fields(string $section, array $fields): void
{
    foreach ($fields as $name => [$title, $print, $hasLabel]) {
        $args = $hasLabel ? ['label_for' => "php-session-chat-$name"] : [];
        add_settings_field($name, $title, __NAMESPACE__ . "\\$print", PAGE, $section, $args);
    }
}

/**
 * Returns the settings from the form. WordPress calls it again with its result when it first stores the option.
 *
 * @return array{who: 'all'|'roles', roles: list<string>, guests: bool, launcher: bool, ask: bool, team: list<string>, hours: string, accent: string, side: 'start'|'end'}
 */
function clean(mixed $given): array
{
    $stored = settings();
    $chosen = read_settings($given);
    // A stored role may belong to a plugin that is switched off at the moment.
    $known = static fn (string $name): array => [...array_keys(wp_roles()->roles), ...$stored[$name]];
    $chosen['roles'] = array_values(array_intersect($chosen['roles'], $known('roles')));
    $chosen['team'] = array_values(array_intersect($chosen['team'], $known('team')));
    if ($chosen['who'] === 'roles' && $chosen['roles'] === []) {
        $chosen['roles'] = $stored['roles'];
        if (get_settings_errors(OPTION) === []) {
            $message = __('Check at least one role under “Who sees the chat”. Until then, only the roles that were chosen before see it.', 'php-session-chat');
            add_settings_error(OPTION, 'roles', $message);
        }
    }
    return $chosen;
}

/** Returns the typed address. Keeps the stored one if the typed one is not valid, or the user may not choose it. */
function clean_chosen_server(mixed $given): string
{
    $stored = stored_server();
    if (!may_choose_server()) {
        return $stored;
    }
    $server = clean_server(is_string($given) ? $given : '');
    if ($server === null && get_settings_errors(SERVER) === []) {
        $message = __('The server address must be a path such as /chat/, or begin with https://.', 'php-session-chat');
        add_settings_error(SERVER, 'server', $message);
    }
    return $server ?? $stored;
}

/** Stores the address for all sites of the network. */
function save_network(): void
{
    check_admin_referer(SERVER);
    if (!may_choose_server()) {
        wp_die('', 403);
    }
    $given = isset($_POST[SERVER]) && is_string($_POST[SERVER]) ? sanitize_text_field(wp_unslash($_POST[SERVER])) : '';
    update_site_option(SERVER, clean_chosen_server($given));
    if (get_settings_errors(SERVER) === []) {
        add_settings_error(SERVER, 'saved', __('Settings saved.', 'php-session-chat'), 'success');
    }
    set_transient('settings_errors', get_settings_errors(SERVER), 30);
    wp_safe_redirect(network_admin_url('settings.php?settings-updated=true&page=' . PAGE));
    exit;
}

function print_page(): void
{
    if (!current_user_can('manage_options')) {
        return;
    }
    ?>
    <div class="wrap">
        <h1><?php echo esc_html(get_admin_page_title()); ?></h1>
        <form action="options.php" method="post">
            <?php
            settings_fields(PAGE);
            do_settings_sections(PAGE);
            print_buttons(true);
            ?>
        </form>
        <div id="php-session-chat-findings" role="status" style="max-width: 50em"></div>
        <p>
            <?php
            printf(
                /* translators: 1, 2: shortcodes */
                esc_html__('To show the chat on a page, add the block “Chat” or the shortcode %1$s. The shortcode %2$s shows the number of unread messages.', 'php-session-chat'),
                '<code dir="ltr">[php_chat]</code>',
                '<code dir="ltr">[php_chat_badge]</code>',
            );
            ?>
        </p>
    </div>
    <?php
}

function print_network_page(): void
{
    if (!current_user_can('manage_network_options')) {
        return;
    }
    ?>
    <div class="wrap">
        <h1><?php echo esc_html(get_admin_page_title()); ?></h1>
        <?php settings_errors(SERVER); ?>
        <form action="<?php echo esc_url(network_admin_url('edit.php?action=' . SERVER)); ?>" method="post">
            <?php wp_nonce_field(SERVER); ?>
            <table class="form-table" role="presentation">
                <tr>
                    <th scope="row"><label for="php-session-chat-server"><?php esc_html_e('Server address', 'php-session-chat'); ?></label></th>
                    <td><?php print_server(); ?></td>
                </tr>
            </table>
            <?php print_buttons(may_choose_server()); ?>
        </form>
        <div id="php-session-chat-findings" role="status" style="max-width: 50em"></div>
    </div>
    <?php
}

/** @param bool $canSave whether the form has a field that the user may change */
function print_buttons(bool $canSave): void
{
    // No nonce is needed, because this parameter only starts the test of the saved address.
    $isSaved = isset($_GET['settings-updated']); // phpcs:ignore WordPress.Security.NonceVerification.Recommended
    ?>
    <p class="submit">
        <?php $canSave && submit_button('', 'primary', 'submit', false); ?>
        <button type="button" class="button" id="php-session-chat-test"<?php echo $isSaved ? ' data-now' : ''; ?>>
            <?php esc_html_e('Test connection', 'php-session-chat'); ?>
        </button>
    </p>
    <?php
}

function print_server(): void
{
    // On a network, only the page of the network has a field that is saved.
    $isField = may_choose_server() && is_multisite() === is_network_admin();
    ?>
    <input type="text" class="regular-text code" id="php-session-chat-server" dir="ltr"
        value="<?php echo esc_attr($isField && server() === '' ? proposed_server() : server()); ?>"
        <?php echo $isField ? 'required name="' . esc_attr(SERVER) . '"' : 'readonly'; ?>
        aria-describedby="php-session-chat-server-help">
    <p class="description" id="php-session-chat-server-help">
        <?php
        if ($isField) {
            /* translators: %s: path */
            printf(esc_html__('The path or address where browsers reach the chat server, such as %s.', 'php-session-chat'), '<code dir="ltr">' . esc_html(proposed_server()) . '</code>');
        } elseif (is_multisite() && !is_network_admin() && !defined('PHP_SESSION_CHAT_SERVER')) {
            esc_html_e('The administrators of the network choose this address under Settings → Chat, because its script runs on every page.', 'php-session-chat');
        } else {
            /* translators: %s: name of a constant */
            printf(esc_html__('This address is set by %s in wp-config.php, because its script runs on every page.', 'php-session-chat'), '<code dir="ltr">PHP_SESSION_CHAT_SERVER</code>');
        }
        ?>
    </p>
    <?php
}

function print_roles(): void
{
    ['who' => $who, 'roles' => $chosen, 'guests' => $hasGuests] = settings();
    $name = OPTION . '[who]';
    ?>
    <fieldset>
        <legend class="screen-reader-text"><?php esc_html_e('Who sees the chat', 'php-session-chat'); ?></legend>
        <label>
            <input type="radio" name="<?php echo esc_attr($name); ?>" value="all" <?php checked($who, 'all'); ?>>
            <?php esc_html_e('All logged-in users', 'php-session-chat'); ?>
        </label><br>
        <label>
            <input type="radio" name="<?php echo esc_attr($name); ?>" value="roles" <?php checked($who, 'roles'); ?>>
            <?php esc_html_e('These roles:', 'php-session-chat'); ?>
        </label>
        <br>
        <?php print_role_boxes('roles', role_titles($chosen), $chosen); ?>
        <label>
            <input type="checkbox" name="<?php echo esc_attr(OPTION); ?>[guests]" value="1" <?php checked($hasGuests); ?>>
            <?php esc_html_e('Also visitors without a login, if the chat server accepts guests (CHAT_GUESTS)', 'php-session-chat'); ?>
        </label>
        <p class="description">
            <?php defined('PHP_SESSION_CHAT_TICKET_KEY')
                ? esc_html_e('Others get no ticket.', 'php-session-chat')
                : esc_html_e('This only hides the chat. The chat server admits all users who are logged in to WordPress.', 'php-session-chat'); ?>
        </p>
        <?php if (is_multisite()) : ?>
            <p class="description"><?php echo esc_html(choice_of_main_site()); ?></p>
        <?php endif; ?>
    </fieldset>
    <?php
}

/**
 * Returns the names of all roles, by their IDs.
 *
 * @param list<string> $chosen shown even if no plugin adds them at the moment, so that they can be unchecked
 * @return array<int|string, string>
 */
function role_titles(array $chosen): array
{
    return wp_roles()->get_names() + array_combine($chosen, $chosen);
}

/**
 * @param string $name of the list in the option
 * @param array<int|string, string> $titles as of role_titles()
 * @param list<string> $chosen
 */
function print_role_boxes(string $name, array $titles, array $chosen): void
{
    foreach ($titles as $role => $title) {
        ?>
        <label style="padding-inline-start: 2em">
            <input type="checkbox" name="<?php echo esc_attr(OPTION . "[$name][]"); ?>" value="<?php echo esc_attr((string) $role); ?>"
                <?php checked(in_array((string) $role, $chosen, true)); ?>>
            <?php echo esc_html(translate_user_role($title)); ?>
        </label><br>
        <?php
    }
}

function print_questions_help(): void
{
    echo '<p>' . esc_html__('Visitors ask a question, and your team answers it when it has time, also by email.', 'php-session-chat') . '</p>';
}

function print_ask(): void
{
    ?>
    <label>
        <input type="checkbox" name="<?php echo esc_attr(OPTION); ?>[ask]" value="1" <?php checked(settings()['ask']); ?>>
        <?php esc_html_e('Show the button as “Ask us”', 'php-session-chat'); ?>
    </label>
    <p class="description">
        <?php esc_html_e('Then users outside the team see only their own question there. The team sees the whole chat.', 'php-session-chat'); ?>
    </p>
    <?php
}

function print_team(): void
{
    $chosen = settings()['team'];
    $titles = array_filter(role_titles($chosen), static fn ($role): bool => can_name_team((string) $role), ARRAY_FILTER_USE_KEY);
    ?>
    <fieldset>
        <legend><?php esc_html_e('Users with these roles answer:', 'php-session-chat'); ?></legend>
        <?php print_role_boxes('team', $titles, $chosen); ?>
    </fieldset>
    <?php
}

function print_hours(): void
{
    ?>
    <input type="text" class="regular-text" id="php-session-chat-hours" name="<?php echo esc_attr(OPTION); ?>[hours]"
        value="<?php echo esc_attr(settings()['hours']); ?>" maxlength="<?php echo esc_attr((string) MAX_HOURS); ?>"
        placeholder="<?php esc_attr_e('We answer on weekdays from 9 to 5', 'php-session-chat'); ?>"
        aria-describedby="php-session-chat-hours-help">
    <p class="description" id="php-session-chat-hours-help">
        <?php esc_html_e('Without this text, visitors see the usual time until an answer.', 'php-session-chat'); ?>
    </p>
    <?php
}

/** The chat server reads its own settings only, because whoever may write them chooses who reads all questions. */
function print_team_lines(): void
{
    if (team_lines() === '') {
        echo '<p>' . esc_html__('Check the roles of the team and save. Then copy the lines that appear here.', 'php-session-chat') . '</p>';
        return;
    }
    ?>
    <p><?php echo esc_html(team_advice()); ?></p>
    <pre dir="ltr" style="overflow-x: auto; user-select: all"><?php echo esc_html(team_lines()); ?></pre>
    <?php
}

function print_launcher_field(): void
{
    ?>
    <label>
        <input type="checkbox" name="<?php echo esc_attr(OPTION); ?>[launcher]" value="1" <?php checked(settings()['launcher']); ?>>
        <?php esc_html_e('Show a button on all pages that opens the chat', 'php-session-chat'); ?>
    </label>
    <?php
}

function print_side(): void
{
    $side = settings()['side'];
    ?>
    <select id="php-session-chat-side" name="<?php echo esc_attr(OPTION); ?>[side]">
        <option value="end"><?php esc_html_e('End of the line (right in English)', 'php-session-chat'); ?></option>
        <option value="start" <?php selected($side, 'start'); ?>><?php esc_html_e('Start of the line', 'php-session-chat'); ?></option>
    </select>
    <?php
}

function print_accent(): void
{
    ?>
    <input type="text" class="code" id="php-session-chat-accent" name="<?php echo esc_attr(OPTION); ?>[accent]"
        value="<?php echo esc_attr(settings()['accent']); ?>" placeholder="#3f4fb0" pattern="#[0-9A-Fa-f]{6}">
    <?php
}

function load_script(string $page): void
{
    if ($page !== 'settings_page_' . PAGE) {
        return;
    }
    $handle = 'php-session-chat-settings';
    wp_enqueue_script($handle, plugins_url('admin/settings.js', FILE), [], VERSION, true);
    wp_add_inline_script($handle, 'window.phpSessionChat = ' . wp_json_encode([
        'action' => TEST,
        'nonce' => wp_create_nonce(TEST),
        'ticketUrl' => ticket_url(),
        'candidates' => array_values(array_unique(array_filter([server(), proposed_server(), '/chat/']))),
        'failed' => __('The test did not finish. Load this page again.', 'php-session-chat'),
    ]) . ';', 'before');
}

/** Answers the settings page with the findings about an address. */
function answer_test(): void
{
    check_ajax_referer(TEST);
    if (!current_user_can('manage_options')) {
        wp_send_json_error(null, 403);
    }
    $posted = static fn (string $name): string =>
        isset($_POST[$name]) && is_string($_POST[$name]) ? sanitize_text_field(wp_unslash($_POST[$name])) : '';
    $server = clean_server($posted('server'));
    if ($server === null) {
        $text = __('This is not an address.', 'php-session-chat');
        wp_send_json_success([problem($text, __('Enter a path such as /chat/, or an address that starts with https://.', 'php-session-chat'))]);
    }
    $origin = $posted('origin');
    // A stored address only: an administrator could otherwise explore the network behind this server.
    $missing = $posted('user') !== '' && $server === server() ? missing_parts(server_url($server)) : [];
    // The chat server tells its admins, whom the browser connects as.
    $told = array_map(missing_part(...), array_filter(explode(',', $posted('missing'))));
    // Browsers resolve a path relative to the page, whose origin can differ from the site's address.
    $found = check_browser(str_starts_with($server, '/') ? $origin . $server : $server, [
        'origin' => $origin,
        'status' => (int) $posted('status'),
        'code' => $posted('code'),
        'user' => $posted('user'),
        'hasTeam' => $posted('hasTeam') === '1',
        'hasScript' => $posted('hasScript') === '1',
        'ticketStatus' => (int) $posted('ticketStatus'),
        'ticketMessage' => $posted('ticketMessage'),
        'found' => $posted('found'),
    ]);
    wp_send_json_success(array_values(array_unique([...$found, ...$told, ...$missing], SORT_REGULAR)));
}
