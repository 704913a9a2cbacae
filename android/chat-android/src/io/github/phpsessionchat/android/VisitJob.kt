package io.github.phpsessionchat.android

import android.app.job.JobInfo
import android.app.job.JobParameters
import android.app.job.JobScheduler
import android.app.job.JobService
import android.content.ComponentName
import android.content.Context
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.launch

/** Identifies the job among all jobs of the app. */
private const val ID = 0x73697465

/** Android runs it later while the device sleeps, or if the user rarely opens the app. */
private const val INTERVAL_HOURS = 1L

/** Visits the site while the app is not on the screen, so that the login lasts until the user returns. */
class VisitJob : JobService() {
    private val scope = MainScope()
    private var visiting: Job? = null

    override fun onStartJob(params: JobParameters): Boolean {
        val chat = chat ?: return false
        visiting = scope.launch {
            chat.visitInBackground()
            jobFinished(params, false)
        }
        return true
    }

    override fun onStopJob(params: JobParameters): Boolean {
        visiting?.cancel()
        return false
    }

    internal companion object {
        // Android creates services itself, so the chat cannot be handed to them.
        private var chat: AndroidChat? = null

        fun use(chat: AndroidChat) {
            this.chat = chat
        }

        /** Schedules the job, unless it is already scheduled. */
        fun schedule(context: Context) {
            val scheduler = context.getSystemService(JobScheduler::class.java)
            if (scheduler.getPendingJob(ID) != null) return
            val job = JobInfo.Builder(ID, ComponentName(context, VisitJob::class.java))
                .setRequiredNetworkType(JobInfo.NETWORK_TYPE_ANY)
                .setPeriodic(TimeUnit.HOURS.toMillis(INTERVAL_HOURS))
            scheduler.schedule(job.build())
        }

        fun cancel(context: Context) = context.getSystemService(JobScheduler::class.java).cancel(ID)
    }
}
