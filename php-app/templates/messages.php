<?php

declare(strict_types=1);

$title = $t('nav.messages') . ' · ' . $t('site.name');
$class = 'full';
$launcher = false;
?>
<main>
<h1 class="vh"><?= $t('nav.messages') ?></h1>
<php-chat server="<?= $e($chat) ?>" login-url="/messages" history="hash" data-down="<?= $t('chat.down') ?>"><p><?= $t('chat.unloaded') ?></p></php-chat>
</main>
