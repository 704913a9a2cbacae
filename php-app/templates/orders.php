<?php

declare(strict_types=1);

$title = $t('nav.orders') . ' · ' . $t('site.name');
$launcher = false;
?>
<main class="wide">
<h1><?= $t('nav.orders') ?></h1>
<p class="lead"><?= $t('orders.lead') ?></p>
<php-chat server="<?= $e($chat) ?>" room="<?= $e($room) ?>" single login-url="/orders"<?= $about === null ? '' : ' data-about="' . $e($about) . '"' ?> data-down="<?= $t('chat.down') ?>"><p><?= $t('chat.unloaded') ?></p></php-chat>
</main>
