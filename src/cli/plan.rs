//! What `--dry-run` prints.

use bytesize::ByteSize;
use pimento::Result;
use pimento::config::Experiment;
use pimento::sweep::Plan;
use serde_json::json;

use super::check::plural;
use super::options::OutputArgs;
use super::output;
use super::progress::clock;

/// Prints a plan.
pub fn print(experiment: &Experiment, plan: &Plan, how: &OutputArgs) -> Result<()> {
    if how.quiet && !how.json {
        return Ok(());
    }
    if how.json {
        return output::print_json(&json!({
            "experiment": experiment.name,
            "seconds": plan.seconds(),
            "plan": plan,
        }));
    }
    output::print(&text(experiment, plan))
}

fn text(experiment: &Experiment, plan: &Plan) -> String {
    let mut text = format!("{}: nothing was written\n", experiment.name);
    for (adapter, memory) in plan.adapters.iter().zip(&plan.memory) {
        let memory = match memory {
            Some(memory) => format!(", the chips of a wave may take {memory}"),
            None => String::new(),
        };
        text += &format!("adapter   {adapter}{memory}\n");
    }
    for t in &plan.trainings {
        let time = match t.there {
            true => "is there".to_string(),
            false => format!("about {}", clock(t.seconds)),
        };
        text += &format!("training  {}: {time}\n", t.label);
    }
    for (i, p) in plan.points.iter().enumerate() {
        let label = match p.label.as_str() {
            "" => String::new(),
            label => format!(" ({label})"),
        };
        text += &format!(
            "point {i:<3} {} chips in {} waves, {:.1} chips/s, about {}, memory {}{label}\n",
            p.chips,
            p.waves,
            p.chips_per_s,
            clock(p.seconds),
            ByteSize::b(p.bytes).display().iec(),
        );
    }
    let chips: u64 = plan.points.iter().map(|p| p.chips).sum();
    let waves: u64 = plan.points.iter().map(|p| p.waves).sum();
    let memory = plan.points.iter().map(|p| p.bytes).max().unwrap_or(0);
    text += &format!(
        "in all    {}, {} of {} in {}, {}\n\
         memory    {} for the waves, beside data and networks\n\
         time      about {} (h:mm:ss), measured on the first steps of each training and a few chips \
         with untrained networks; a busy machine takes longer\n",
        plural(plan.points.len(), "point"),
        plural(chips as usize, "chip"),
        plural(plan.images, "image"),
        plural(waves as usize, "wave"),
        plural(
            plan.trainings.iter().filter(|t| !t.there).count(),
            "training"
        ),
        ByteSize::b(memory).display().iec(),
        clock(plan.seconds()),
    );
    text
}
