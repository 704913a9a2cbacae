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
add_action('admin_enqueue_scripts', __NAMESPACE__ . '\load_script');
add_action('wp_ajax_' . TEST, __NAMESPACE__ . '\answer_test');
add_filter('plugin_action_links_' . plugin_basename(FILE), static function (array $links): array {
    $link = '<a href="' . esc_url(admin_url('options-general.php?page=' . PAGE)) . '">';
    return [$link . esc_html__('Settings', 'php-session-chat') . '</a>', ...$links];
});

function add_fields(): void
{
    register_setting(PAGE, OPTION, ['type' => 'array', 'sanitize_callback' => __NAMESPACE__ . '\clean']);
    add_settings_section('main', '', '__return_empty_string', PAGE);
    $fields = [
        'server' => [__('Server address', 'php-session-chat'), 'print_server', true],
        'roles' => [__('Who sees the chat', 'php-session-chat'), 'print_roles', false],
        'launcher' => [__('Button', 'php-session-chat'), 'print_launcher_field', false],
        'side' => [__('Side of the button', 'php-session-chat'), 'print_side', true],
        'accent' => [__('Accent colour', 'php-session-chat'), 'print_accent', true],
    ];
    foreach ($fields as $name => [$title, $print, $hasLabel]) {
        $args = $hasLabel ? ['label_for' => "php-session-chat-$name"] : [];
        add_settings_field($name, $title, __NAMESPACE__ . "\\$print", PAGE, 'main', $args);
    }
}

/**
 * Returns the settings from the form. Keeps the stored address if the typed one is not valid. WordPress calls it again
 * with its result when it first stores the option.
 *
 * @return array{server: string, roles: list<string>, guests: bool, launcher: bool, accent: string, side: string}
 */
function clean(mixed $given): array
{
    $given = is_array($given) ? $given : [];
    $text = static fn (string $name): string => is_string($given[$name] ?? null) ? $given[$name] : '';
    $server = clean_server($text('server'));
    if ($server === null && get_settings_errors(OPTION) === []) {
        $message = __('The server address must be a path such as /chat/, or begin with https://.', 'php-session-chat');
        add_settings_error(OPTION, 'server', $message);
    }
    $roles = is_array($given['roles'] ?? null) ? array_filter($given['roles'], 'is_string') : [];
    return [
        'server' => $server ?? settings()['server'],
        'roles' => $text('who') === 'all' ? [] : array_values(array_intersect(array_keys(wp_roles()->roles), $roles)),
        'guests' => !empty($given['guests']),
        'launcher' => !empty($given['launcher']),
        'accent' => (string) sanitize_hex_color($text('accent')),
        'side' => $text('side') === 'start' ? 'start' : 'end',
    ];
}

function print_page(): void
{
    if (!current_user_can('manage_options')) {
        return;
    }
    // No nonce is needed, because this parameter only starts the test of the saved address.
    $isSaved = isset($_GET['settings-updated']); // phpcs:ignore WordPress.Security.NonceVerification.Recommended
    ?>
    <div class="wrap">
        <h1><?php echo esc_html(get_admin_page_title()); ?></h1>
        <form action="options.php" method="post">
            <?php
            settings_fields(PAGE);
            do_settings_sections(PAGE);
            ?>
            <p class="submit">
                <?php submit_button('', 'primary', 'submit', false); ?>
                <button type="button" class="button" id="php-session-chat-test"<?php echo $isSaved ? ' data-now' : ''; ?>>
                    <?php esc_html_e('Test connection', 'php-session-chat'); ?>
                </button>
            </p>
        </form>
        <div id="php-session-chat-findings" role="status" style="max-width: 50em"></div>
        <p>
            <?php
            printf(
                /* translators: 1, 2: shortcodes */
                esc_html__('To show the chat on a page, add the block “Chat” or the shortcode %1$s. The shortcode %2$s shows the number of unread messages.', 'php-session-chat'),
                '<code>[php_chat]</code>',
                '<code>[php_chat_badge]</code>',
            );
            ?>
        </p>
    </div>
    <?php
}

function print_server(): void
{
    $server = settings()['server'];
    ?>
    <input type="text" class="regular-text code" id="php-session-chat-server" required
        name="<?php echo esc_attr(OPTION); ?>[server]" value="<?php echo esc_attr($server === '' ? '/chat/' : $server); ?>"
        aria-describedby="php-session-chat-server-help">
    <p class="description" id="php-session-chat-server-help">
        <?php esc_html_e('The path or address where browsers reach the chat server, such as /chat/.', 'php-session-chat'); ?>
    </p>
    <?php
}

function print_roles(): void
{
    $chosen = settings()['roles'];
    $name = OPTION . '[who]';
    ?>
    <fieldset>
        <legend class="screen-reader-text"><?php esc_html_e('Who sees the chat', 'php-session-chat'); ?></legend>
        <label>
            <input type="radio" name="<?php echo esc_attr($name); ?>" value="all" <?php checked($chosen === []); ?>>
            <?php esc_html_e('All logged-in users', 'php-session-chat'); ?>
        </label><br>
        <label>
            <input type="radio" name="<?php echo esc_attr($name); ?>" value="roles" <?php checked($chosen !== []); ?>>
            <?php esc_html_e('These roles:', 'php-session-chat'); ?>
        </label>
        <?php foreach (wp_roles()->get_names() as $role => $title) : ?>
            <br>
            <label style="padding-inline-start: 2em">
                <input type="checkbox" name="<?php echo esc_attr(OPTION); ?>[roles][]" value="<?php echo esc_attr($role); ?>"
                    <?php checked(in_array((string) $role, $chosen, true)); ?>>
                <?php echo esc_html(translate_user_role($title)); ?>
            </label>
        <?php endforeach; ?>
        <br>
        <label>
            <input type="checkbox" name="<?php echo esc_attr(OPTION); ?>[guests]" value="1" <?php checked(settings()['guests']); ?>>
            <?php esc_html_e('Also visitors without a login, if the chat server accepts guests (CHAT_GUESTS)', 'php-session-chat'); ?>
        </label>
        <p class="description">
            <?php defined('PHP_SESSION_CHAT_TICKET_KEY')
                ? esc_html_e('Others get no ticket.', 'php-session-chat')
                : esc_html_e('This only hides the chat. The chat server admits all users who are logged in to WordPress.', 'php-session-chat'); ?>
        </p>
    </fieldset>
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
    wp_send_json_success(examine($server, [
        'origin' => $posted('origin'),
        'status' => (int) $posted('status'),
        'code' => $posted('code'),
        'user' => $posted('user'),
        'hasScript' => $posted('hasScript') === '1',
        'ticketStatus' => (int) $posted('ticketStatus'),
        'ticketMessage' => $posted('ticketMessage'),
    ]));
}
