# Builds bitstream and hardware handoff in batch mode, with Vivado 2022.1 to 2024.1:
#
#     vivado -mode batch -source build.tcl -tclargs SETTINGS
#
# SETTINGS is a Tcl list of names and values that `specbp overlay build` writes
# (specbp.bitstream.vivado): names, addresses, parameters and clock come from the package alone.

set here [file dirname [file normalize [info script]]]
source $here/package.tcl
source $here/design.tcl

# specbp shows these lines while Vivado works.
proc stage {what} {
    puts "specbp stage: $what"
}

proc build {settings} {
    stage "packaging the overlay"
    package_ip $settings
    set folder [dict get $settings project_folder]
    create_project -force -part [dict get $settings part] [dict get $settings design] $folder
    set_property ip_repo_paths [dict get $settings ip_folder]/ip [current_project]
    update_ip_catalog
    stage "making the block design"
    create_design $settings
    set design [get_files [dict get $settings design].bd]
    add_files -norecurse [make_wrapper -files $design -top]
    set_property top [dict get $settings design]_wrapper [current_fileset]
    update_compile_order -fileset sources_1
    write_constraints $settings
    stage "synthesis, place and route: most of the half hour"
    run_implementation $settings
    stage "reports"
    write_results $settings
}

# The build identifier goes into the bitstream's header, where a host finds it before programming.
proc write_constraints {settings} {
    set path [dict get $settings project_folder]/identifier.xdc
    set file [open $path w]
    puts $file "set_property BITSTREAM.CONFIG.USERID [dict get $settings user_id] \[current_design\]"
    close $file
    add_files -fileset constrs_1 -norecurse $path
}

proc run_implementation {settings} {
    set jobs [dict get $settings jobs]
    launch_runs impl_1 -to_step write_bitstream -jobs $jobs
    wait_on_run impl_1
    if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
        error "ERROR: the implementation is at [get_property PROGRESS [get_runs impl_1]]: see [get_property DIRECTORY [get_runs impl_1]]/runme.log"
    }
}

proc write_results {settings} {
    set output [dict get $settings output]
    set design [dict get $settings design]
    open_run impl_1
    file copy -force [get_property DIRECTORY [get_runs impl_1]]/${design}_wrapper.bit \
        $output/$design.bit
    # Sources are in PROJECT.srcs; what Vivado generates from them is in PROJECT.gen (since 2020.2).
    set project [dict get $settings project_folder]
    file copy -force $project/$design.gen/sources_1/bd/$design/hw_handoff/$design.hwh \
        $output/$design.hwh
    report_utilization -file $output/utilisation.rpt
    report_timing_summary -file $output/timing.rpt
    set slack [get_property SLACK [get_timing_paths -delay_type max]]
    set hold [get_property SLACK [get_timing_paths -delay_type min]]
    set file [open $output/results.txt w]
    puts $file "tool Vivado [version -short]"
    puts $file "slack_ns $slack"
    puts $file "hold_slack_ns $hold"
    close $file
    if {$slack < 0 || $hold < 0} {
        error "ERROR: timing is not met: slack $slack ns, hold $hold ns: lower the clock"
    }
}

set file [open [lindex $argv 0]]
set settings [read $file]
close $file
build $settings
