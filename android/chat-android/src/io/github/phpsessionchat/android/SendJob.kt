package io.github.phpsessionchat.android

import android.app.job.JobInfo
import android.app.job.JobParameters
import android.app.job.JobScheduler
import android.app.job.JobService
import android.content.ComponentName
import android.content.Context
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull

/** Identifies the job among all jobs of the app. */
private const val ID = 0x63686174

/** Android ends a job after ten minutes. */
private const val MAX_MS = 8 * 60_000L

/** The first delay after a failure. It doubles each time. */
private const val RETRY_MS = 30_000L

/**
 * Sends the messages that were unsent when the user left the app, as soon as there is a network.
 * [connectWhileVisible] schedules it.
 */
class SendJob : JobService() {
    private val scope = MainScope()
    private var sending: Job? = null

    override fun onStartJob(params: JobParameters): Boolean {
        val chat = chat ?: return false
        sending = scope.launch {
            val isDone = withTimeoutOrNull(MAX_MS) { chat.sendAll() } != null
            jobFinished(params, !isDone)
        }
        return true
    }

    /** Android needs the network for something else, or it is gone. Then the job starts again later. */
    override fun onStopJob(params: JobParameters): Boolean {
        sending?.cancel()
        return true
    }

    internal companion object {
        // Android creates services itself, so the chat cannot be handed to them.
        private var chat: AndroidChat? = null

        fun use(chat: AndroidChat) {
            this.chat = chat
        }

        /** Schedules the job, unless it is already scheduled or running. */
        fun schedule(context: Context) {
            val scheduler = context.getSystemService(JobScheduler::class.java)
            if (scheduler.getPendingJob(ID) != null) return
            val job = JobInfo.Builder(ID, ComponentName(context, SendJob::class.java))
                .setRequiredNetworkType(JobInfo.NETWORK_TYPE_ANY)
                .setBackoffCriteria(RETRY_MS, JobInfo.BACKOFF_POLICY_EXPONENTIAL)
            scheduler.schedule(job.build())
        }
    }
}
